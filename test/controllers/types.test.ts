import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Condition } from '../../specs/phase.ts';
import type { Instance } from '../../specs/instance.ts';
import { callTool, connectModern } from '../support/clients.ts';
import { createInstallation } from '../support/installation.ts';
import type { Installation } from '../support/installation.ts';
import { fixture } from '../support/specs.ts';
import { until } from '../support/until.ts';

/** Instances of registered types, as real processes. */
let it: Installation;

beforeAll(async () => {
  it = await createInstallation();
  await it.startApi();
  const timing = { probeTimeoutMs: 1_000, suspiciousMs: 100, calmMs: 300, activeMs: 300, failures: 2 };
  // Slower than any wait here: what is in time was rung for.
  await it.startControllers({ timing, resyncMs: 60_000 });
});
afterAll(() => it.close());

const manifest = {
  title: 'Echo',
  command: ['node', fixture('echo.mjs')],
  args: ['--fixed', ['--unit', '{unit}'], { if: 'loud', args: ['--loud'] }, ['--dir', '{dirs}'], ['--none', '{none}']],
  env: { GREETING: 'hello {unit}', SECRET_WORD: '{word}', SECRET_URL: 'db://{unit}:{word}@host', ABSENT: '{none}' },
  inputs: {
    word: { secret: true, required: true },
    unit: { required: true },
    loud: { format: 'boolean' as const },
    dirs: { repeated: true },
    none: {},
  },
};

async function put(path: string, body: unknown): Promise<void> {
  const reply = await it.api('PUT', path, body);
  expect([200, 201], JSON.stringify(reply.body)).toContain(reply.status);
}

async function access(name: string): Promise<{ url: string; token: string }> {
  const { url, token } = (await it.api('GET', `/mcps/${name}/access`)).body;
  return { url, token };
}

async function call(name: string, ...questions: [tool: string, args?: Record<string, unknown>][]): Promise<string[]> {
  const client = await connectModern(await access(name));
  try {
    const answers: string[] = [];
    for (const [tool, args] of questions) answers.push((await callTool(client, tool, args ?? {})).text);
    return answers;
  } finally {
    await client.close();
  }
}

const proc = (pid: number | string, file: string): string[] =>
  readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0').slice(0, -1);

function condition(name: string, type: Condition['type']): Promise<Instance> {
  return until(`${type} of ${name}`, async () => {
    const instance = await it.get(name);
    return instance.status.conditions.some(c => c.type === type && c.status === 'True') && instance;
  });
}

const messageOf = ({ status }: Instance, type: Condition['type']): string =>
  status.conditions.find(c => c.type === type)?.message ?? '';

async function remove(...names: string[]): Promise<void> {
  for (const name of names) expect((await it.api('DELETE', `/mcps/${name}?wait=15s`)).status).toBe(200);
}

test('inputs reach the child as words and variables, and secrets as variables alone', async () => {
  await put('/types/greeter', manifest);
  const word = '--loud {unit} $(id) "secret"';
  await put('/api-keys/greeter-key', { type: 'greeter', values: { word } });
  const config = { unit: 'x; --y {word} $HOME', loud: true, dirs: ['/a b', '{dirs}'] };
  await put('/mcps/greets', { spec: { type: 'greeter', apiKey: 'greeter-key', config } });
  const { status } = await it.phase('greets', 'Ready');
  const [pid] = await call('greets', ['pid']);
  expect(proc(pid!, 'cmdline').slice(1)).toEqual([
    fixture('echo.mjs'),
    '--fixed',
    '--unit',
    'x; --y {word} $HOME',
    '--loud',
    '--dir',
    '/a b',
    '--dir',
    '{dirs}',
  ]);
  const env = proc(pid!, 'environ');
  expect(env).toEqual(
    expect.arrayContaining([
      'GREETING=hello x; --y {word} $HOME',
      `SECRET_WORD=${word}`,
      `SECRET_URL=db://x; --y {word} $HOME:${word}@host`,
    ]),
  );
  expect(env.filter(line => /^(ABSENT|word|unit)=/.test(line))).toEqual([]);
  // Not in the host, and not in what is known of the instance.
  const host = [...proc(status.pid!, 'environ'), ...proc(status.pid!, 'cmdline')].join('\n');
  expect(host).not.toContain('$(id)');
  expect(JSON.stringify(await it.get('greets'))).not.toContain('$(id)');
  expect(it.log()).not.toContain('$(id)');
});

test('a changed program starts its instances anew under the same URL; changed words do not', async () => {
  const before = { ...(await access('greets')), pid: (await it.get('greets')).status.pid };
  await put('/types/greeter', { ...manifest, title: 'Greeter' });
  await put('/types/greeter', { ...manifest, title: 'Greeter', args: ['--new', ...manifest.args] });
  const after = await until('a new process', async () => {
    const { status } = await it.get('greets');
    return status.phase === 'Ready' && status.pid !== before.pid && status;
  });
  expect({ ...(await access('greets')), restarts: after.restartCount }).toEqual({
    url: before.url,
    token: before.token,
    restarts: 0,
  });
  expect((await call('greets', ['argv']))[0]).toMatch(/^--new --fixed --unit /);
  const { rows } = await it.database.pool.query(
    `select type_program, stop_reason from attempts where instance_name = 'greets' order by began_at`,
  );
  expect(rows.map(row => row.stop_reason)).toEqual(['type-changed', null]);
  const programs = rows.map(row => row.type_program as string);
  expect([new Set(programs).size, programs.every(program => /^[0-9a-f]{64}$/.test(program))]).toEqual([2, true]);
});

test('what an api key has and the manifest does not name any more stays where it is', async () => {
  const { word: _, ...inputs } = manifest.inputs;
  const optional = { ...inputs, other: { secret: true } };
  await put('/types/greeter', { ...manifest, env: { OTHER: '{other}', UNIT: '{unit}' }, inputs: optional });
  await until('a new process', async () => (await call('greets', ['env', { name: 'UNIT' }]))[0] !== '');
  const [pid] = await call('greets', ['pid']);
  expect(proc(pid!, 'environ').filter(line => line.includes('$(id)') || line.startsWith('OTHER='))).toEqual([]);
});

test('a type that is used cannot be deleted', async () => {
  const refused = await it.api('DELETE', '/types/greeter');
  expect([refused.status, refused.body.detail]).toEqual([
    409,
    expect.stringContaining('instances greets and api keys'),
  ]);
  await remove('greets');
  expect((await it.api('DELETE', '/api-keys/greeter-key')).status).toBe(200);
  expect((await it.api('DELETE', '/types/greeter')).status).toBe(200);
});

test('a config or a key that does not fit any more is said, and mended without a restart by hand', async () => {
  const first = { title: 'Fits', command: ['node', fixture('echo.mjs')] };
  await put('/types/fits', first);
  await put('/mcps/fitting', { spec: { type: 'fits' } });
  await it.phase('fitting', 'Ready');

  const asking = { ...first, args: ['{unit}'], inputs: { unit: { required: true } } };
  const refused = await it.api('PUT', '/types/fits', asking);
  expect([refused.status, refused.body.detail]).toEqual([409, expect.stringContaining('fitting (spec.config unit)')]);
  expect((await it.get('fitting')).status.phase).toBe('Ready');
  await put('/types/fits?force=1', asking);
  const misfit = await condition('fitting', 'Misconfigured');
  expect([misfit.status.phase, messageOf(misfit, 'Misconfigured')]).toEqual([
    'Pending',
    expect.stringContaining('unit'),
  ]);
  await it.api('PATCH', '/mcps/fitting', { spec: { config: { unit: 'm' } } });
  await it.phase('fitting', 'Ready');
  expect(await call('fitting', ['argv'])).toEqual(['m']);

  const env = { A: '{a}' };
  await put('/types/fits?force=1', { ...first, env, inputs: { a: { secret: true, required: true } } });
  const keyless = await condition('fitting', 'SecretMissing');
  expect(messageOf(keyless, 'SecretMissing')).toContain('needs an api key');
  await put('/api-keys/fitting-key', { type: 'fits', values: { a: 'first-secret' } });
  await it.api('PATCH', '/mcps/fitting', { spec: { apiKey: 'fitting-key', config: { unit: null } } });
  await it.phase('fitting', 'Ready');

  const inputs = { a: { secret: true }, b: { secret: true, required: true } };
  await put('/types/fits?force=1', { ...first, env: { ...env, B: '{b}' }, inputs });
  const lacking = await condition('fitting', 'SecretMissing');
  expect(messageOf(lacking, 'SecretMissing')).toMatch(/"fitting-key" has no b.*PUT/);
  await put('/api-keys/fitting-key', { type: 'fits', values: { b: 'second-secret' } });
  await it.phase('fitting', 'Ready');
  expect(await call('fitting', ['env', { name: 'A' }], ['env', { name: 'B' }])).toEqual(['', 'second-secret']);

  // One that takes no key any more does not mind the one it has.
  await put('/types/fits', { ...first, args: ['--plain'] });
  await until('the plain one', async () => (await call('fitting', ['argv']))[0] === '--plain');
  await remove('fitting');
});

test('what fails again and again is tried at once when its type is mended', async () => {
  await put('/types/fails', { title: 'Fails', command: ['node', fixture('crashes-at-start.mjs')] });
  await put('/mcps/failing', { spec: { type: 'fails' } });
  await until('a wait of some seconds', async () => {
    const { status } = await it.get('failing');
    return status.phase === 'Backoff' && Date.parse(status.nextStartAt ?? '') - Date.now() > 2_000;
  });
  const { nextStartAt } = (await it.get('failing')).status;
  await put('/types/fails', { title: 'Fails', command: ['node', fixture('echo.mjs')] });
  const mended = await it.phase('failing', 'Ready');
  expect(Date.parse(mended.status.startedAt!)).toBeLessThan(Date.parse(nextStartAt!));

  // By hand in the database alone a type can go before its instances: what runs goes on.
  await it.database.pool.query(`delete from types where name = 'fails'`);
  expect(await call('failing', ['echo', { text: 'still' }])).toEqual(['still']);
  await it.api('POST', '/mcps/failing/restart');
  const orphan = await condition('failing', 'Misconfigured');
  expect(messageOf(orphan, 'Misconfigured')).toContain('There is no type "fails"');
  await put('/types/fails', { title: 'Fails', command: ['node', fixture('echo.mjs')] });
  await it.phase('failing', 'Ready');
  await remove('failing');
});

test('a program that is not there is said with the place where it is named', async () => {
  await put('/types/absent', { title: 'Absent', command: ['no-such-program-at-all'] });
  await put('/mcps/absent', { spec: { type: 'absent' } });
  expect(messageOf(await condition('absent', 'Misconfigured'), 'Misconfigured')).toMatch(
    /no-such-program-at-all.*command in the manifest of type "absent"/,
  );
  await put('/types/absent', { title: 'Absent', command: ['node', fixture('echo.mjs')], cwd: '/no/such/place' });
  await until('the other condition', async () =>
    messageOf(await it.get('absent'), 'Misconfigured').includes('/no/such/place'),
  );
  await put('/types/absent', { title: 'Absent', command: ['node', fixture('echo.mjs')], cwd: '/' });
  await it.phase('absent', 'Ready');
  expect(await call('absent', ['cwd'])).toEqual(['/']);
  await remove('absent');
});
