import net from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Event } from '../../specs/event.ts';
import { isAlive, identityOf, markedProcesses } from '../../controllers/runtime/process-table.ts';
import { createInstallation } from '../support/installation.ts';
import type { Installation } from '../support/installation.ts';
import { callTool, connectModern } from '../support/clients.ts';
import { echoSpec, stdioSpec } from '../support/specs.ts';
import { until } from '../support/until.ts';

/** How instances live and end: healthy ones, dying ones, and programs that do not play along. */
let it: Installation;

const limits = { startTimeoutMs: 2_500, unhealthyMs: 800, stopGraceMs: 8_000 };
const timing = { probeTimeoutMs: 700, suspiciousMs: 100, calmMs: 300, activeMs: 300, failures: 2 };

beforeAll(async () => {
  it = await createInstallation();
  await it.startApi();
  await it.startControllers({ limits, timing, resyncMs: 2_000 });
});
afterAll(() => it.close());

async function declare(name: string, spec: object): Promise<void> {
  const reply = await it.api('POST', '/mcps', { metadata: { name }, spec });
  expect(reply.status, JSON.stringify(reply.body)).toBe(201);
}

async function ready(name: string, spec: object = echoSpec()): Promise<number> {
  await declare(name, spec);
  return (await it.phase(name, 'Ready')).status.pid!;
}

async function events(name: string): Promise<Event[]> {
  return (await it.api('GET', `/mcps/${name}/events?limit=500`)).body.items as Event[];
}

async function call(name: string, tool: string, args: Record<string, unknown> = {}): Promise<string> {
  const access = (await it.api('GET', `/mcps/${name}/access`)).body as { url: string; token: string };
  const client = await connectModern(access);
  try {
    return (await callTool(client, tool, args)).text;
  } finally {
    await client.close();
  }
}

/** Deletes the instance and proves that none of its processes is left. */
async function remove(name: string): Promise<void> {
  const { rows } = await it.database.pool.query<{ id: string }>('select id from attempts where instance_name = $1', [
    name,
  ]);
  const ids = new Set(rows.map(row => row.id));
  await it.api('DELETE', `/mcps/${name}?wait=15s`);
  expect((await it.api('GET', `/mcps/${name}`)).status).toBe(404);
  expect(markedProcesses().filter(process => ids.has(process.attempt))).toEqual([]);
  const seen = await it.observer.look();
  expect(seen.live[name]).toBeUndefined();
  expect(seen.most[name] ?? 0).toBeLessThanOrEqual(1);
}

test('kill -9 of an instance: it answers again, counted once, and the events tell it', async () => {
  const pid = await ready('killed');
  process.kill(pid, 'SIGKILL');
  const again = await until('it is ready again', async () => {
    const { status } = await it.get('killed');
    return status.phase === 'Ready' && status.pid !== pid && status;
  });
  expect(again.restartCount).toBe(1);
  expect(again.lastExit).toMatchObject({ code: null, signal: 'SIGKILL' });
  expect(await call('killed', 'echo', { text: 'hello' })).toBe('hello');
  const told = (await events('killed')).map(event => event.reason);
  expect(told.slice(told.indexOf('Exited'))).toEqual(['Exited', 'Spawning', 'Ready']);
  await remove('killed');
});

test('a server that crashes at its start backs off longer each time, says why, and starts at once when mended', async () => {
  await declare('crasher', stdioSpec('crashes-at-start.mjs'));
  const told = await until('three failures', async () => {
    const all = (await events('crasher')).filter(event => event.reason === 'BackingOff');
    return all.length >= 3 && all;
  });
  const [first, second, third] = told.map(event => Number(event.data['delayMs']));
  for (const [delay, base] of [
    [first, 1000],
    [second, 2000],
    [third, 4000],
  ] as const) {
    expect(delay).toBeGreaterThanOrEqual(base * 0.75);
    expect(delay).toBeLessThanOrEqual(base * 1.25);
  }
  const { status } = await it.get('crasher');
  expect(status.phase).toBe('Backoff');
  expect(status.nextStartAt).not.toBeNull();
  expect(status.lastExit!.reason).toContain('no such database');
  expect(status.conditions.find(condition => condition.type === 'Ready')).toMatchObject({ status: 'False' });
  expect(JSON.stringify(status.conditions)).toContain('no such database');

  await it.api('PATCH', '/mcps/crasher', { spec: { config: { command: echoSpec().config.command } } });
  const mended = await it.phase('crasher', 'Ready', 3_000);
  expect(mended.status.observedGeneration).toBe(2);
  await remove('crasher');
});

test('last words that no database stores keep nothing from going on', async () => {
  await declare('garbled', stdioSpec('dies-garbled.mjs'));
  const { status } = await it.phase('garbled', 'Backoff');
  expect(status.lastExit).toMatchObject({ code: 6, reason: expect.stringContaining('the very last words') });
  expect(status.lastExit!.reason).not.toMatch(/(?!\n)\p{Cc}/u);
  await remove('garbled');
});

test('an unknown command is a condition, not a crash loop, and converges when the program appears', async () => {
  await declare('unknown', { type: 'stdio', config: { command: ['no-such-program-at-all'] } });
  const waiting = await until('the condition', async () => {
    const { status } = await it.get('unknown');
    return (
      status.conditions.some(condition => condition.type === 'Misconfigured' && condition.status === 'True') && status
    );
  });
  expect(waiting.phase).toBe('Pending');
  expect(waiting.conditions.find(condition => condition.type === 'Misconfigured')!.message).toMatch(
    /no-such-program-at-all.*install/,
  );
  expect((await events('unknown')).filter(event => event.reason === 'Misconfigured')).toHaveLength(1);
  expect((await it.observer.look()).total['unknown']).toBeUndefined();
  await it.api('PATCH', '/mcps/unknown', { spec: { config: { command: echoSpec().config.command } } });
  await it.phase('unknown', 'Ready');
  await remove('unknown');
});

test('a missing api key is a condition, converges when the key is set, and ends the process when it is taken away', async () => {
  await declare('keyed', { ...echoSpec(), apiKey: 'later' });
  const waiting = await until('the condition', async () => {
    const { status } = await it.get('keyed');
    return (
      status.conditions.some(condition => condition.type === 'SecretMissing' && condition.status === 'True') && status
    );
  });
  expect(waiting.phase).toBe('Pending');
  expect(waiting.conditions.find(condition => condition.type === 'SecretMissing')!.message).toContain(
    'PUT /api/v1/api-keys/later',
  );
  expect((await it.observer.look()).total['keyed']).toBeUndefined();

  await it.api('PUT', '/api-keys/later', { type: 'stdio', values: { SECRET_WORD: 'first-secret-word' } });
  const first = await it.phase('keyed', 'Ready');
  expect(await call('keyed', 'env', { name: 'SECRET_WORD' })).toBe('first-secret-word');
  expect(markedProcesses().length).toBeGreaterThan(0);

  // A new version reaches the process; a host never has it in its environment.
  await it.api('PUT', '/api-keys/later', { type: 'stdio', values: { SECRET_WORD: 'second-secret-word' } });
  await until(
    'the new value',
    async () =>
      (await it.get('keyed')).status.pid !== first.status.pid &&
      (await call('keyed', 'env', { name: 'SECRET_WORD' })) === 'second-secret-word',
  );

  await it.api('DELETE', '/api-keys/later');
  await until('the process is gone', async () => (await it.observer.look()).live['keyed'] === undefined);
  await until('the condition again', async () => {
    const { status } = await it.get('keyed');
    return status.phase === 'Pending' && status.conditions.some(condition => condition.type === 'SecretMissing');
  });
  await remove('keyed');
});

test('a stranger on the port: PortConflict, another port, Ready', async () => {
  // The scheduler looks at the port first, so the stranger comes after it has chosen: while it is stopped.
  await ready('victim');
  const { status } = await it.get('victim');
  const port = status.port!;
  await it.api('PATCH', '/mcps/victim', { spec: { running: false } });
  await it.phase('victim', 'Stopped');
  const placed = `select from placements join instances on uid = instance_uid where name = 'victim'`;
  await until('the place is released', async () => (await it.database.pool.query(placed)).rowCount === 0);
  const stranger = net.createServer(socket => socket.destroy());
  await new Promise<void>(resolve => stranger.listen(port, '127.0.0.1', resolve));
  // As if it had been chosen a moment before the stranger came.
  await it.database.pool.query(
    `insert into placements (instance_uid, node, port) select uid, $1, $2 from instances where name = 'victim'`,
    [it.env['MINIMCP_NODE'], port],
  );
  await it.api('PATCH', '/mcps/victim', { spec: { running: true } });
  const moved = await it.phase('victim', 'Ready');
  expect(moved.status.port).not.toBe(port);
  const told = (await events('victim')).map(event => event.reason);
  expect(told).toContain('PortConflict');
  expect(told).toContain('Rescheduled');
  stranger.close();
  await remove('victim');
});

test('a server that ignores SIGTERM is gone all the same', async () => {
  await ready('stubborn', stdioSpec('ignores-sigterm.mjs'));
  const child = identityOf(Number(await call('stubborn', 'pid')))!;
  await it.api('PATCH', '/mcps/stubborn', { spec: { running: false } });
  await it.phase('stubborn', 'Stopped');
  expect(isAlive(child)).toBe(false);
  await remove('stubborn');
});

test('a grandchild in a session of its own goes with its instance, also after kill -9 of the host', async () => {
  const pid = await ready('daemon', stdioSpec('forks-setsid.mjs'));
  const first = identityOf(Number(await call('daemon', 'grandchild')))!;
  process.kill(pid, 'SIGKILL');
  await until('a new host is ready', async () => {
    const { status } = await it.get('daemon');
    return status.phase === 'Ready' && status.pid !== pid;
  });
  expect(isAlive(first)).toBe(false);
  const second = identityOf(Number(await call('daemon', 'grandchild')))!;
  await it.api('PATCH', '/mcps/daemon', { spec: { running: false } });
  await it.phase('daemon', 'Stopped');
  expect(isAlive(second)).toBe(false);
  await remove('daemon');
});

test('a host that is SIGSTOPped becomes Unhealthy and is replaced', async () => {
  const pid = await ready('frozen');
  const identity = identityOf(pid)!;
  process.kill(pid, 'SIGSTOP');
  await until(
    'a new one is ready',
    async () => {
      const { status } = await it.get('frozen');
      return status.phase === 'Ready' && status.pid !== pid;
    },
    20_000,
  );
  expect(isAlive(identity)).toBe(false);
  const told = (await events('frozen')).map(event => event.reason);
  expect(told).toContain('Unhealthy');
  expect(told.indexOf('Killing')).toBeGreaterThan(told.indexOf('Unhealthy'));
  await remove('frozen');
});

test('a server that never answers is ended after its time and backs off, saying so', async () => {
  await declare('silent', stdioSpec('never-answers.mjs'));
  const backed = await it.phase('silent', 'Backoff', 20_000);
  expect(backed.status.lastExit!.reason).toMatch(/not ready in time/);
  const told = await events('silent');
  expect(told.find(event => event.reason === 'Killing')!.message).toMatch(/Not ready 2.5 s after its start/);
  await remove('silent');
});

test('restart policies: on-failure goes by the code of the server itself', async () => {
  await declare('well', { ...stdioSpec('crashes-after.mjs', '700', '0'), restart: 'on-failure' });
  const done = await it.phase('well', 'Stopped');
  expect(done.status).toMatchObject({ restartCount: 0, lastExit: { code: 0 } });
  await remove('well');
  await declare('ill', { ...stdioSpec('crashes-after.mjs', '700'), restart: 'on-failure' });
  const again = await until('a restart', async () => {
    const { status } = await it.get('ill');
    return status.restartCount > 0 && status;
  });
  expect(again.lastExit).toMatchObject({ code: 4 });
  await remove('ill');
});

test('restart policies: never', async () => {
  await declare('once', { ...stdioSpec('crashes-after.mjs', '700'), restart: 'never' });
  await it.phase('once', 'Ready');
  const stopped = await it.phase('once', 'Stopped');
  expect(stopped.status.conditions[0]!.message).toContain('restart is "never"');
  expect((await it.api('POST', '/mcps/once/restart')).status).toBeLessThan(300);
  await it.phase('once', 'Ready');
  await remove('once');
});

test('restart replaces the process, stop and start keep the port and the token', async () => {
  const pid = await ready('cycled');
  const before = (await it.api('GET', '/mcps/cycled/access')).body as { url: string; token: string };
  await it.api('POST', '/mcps/cycled/restart');
  await until('a new process', async () => {
    const { status } = await it.get('cycled');
    return status.phase === 'Ready' && status.pid !== pid;
  });
  await it.api('PATCH', '/mcps/cycled', { spec: { running: false } });
  await it.phase('cycled', 'Stopped');
  await it.api('PATCH', '/mcps/cycled', { spec: { running: true } });
  await it.phase('cycled', 'Ready');
  const after = (await it.api('GET', '/mcps/cycled/access')).body as { url: string; token: string };
  expect(after).toMatchObject({ url: before.url, token: before.token });
  expect((await it.get('cycled')).status.restartCount).toBe(0);
  await remove('cycled');
});

test('a name deleted and declared again in the middle of a start is another instance', async () => {
  for (let round = 0; round < 5; round++) {
    await declare('phoenix', echoSpec());
    await it.api('DELETE', '/mcps/phoenix');
    await until('the name is free', async () => (await it.api('GET', '/mcps/phoenix')).status === 404);
  }
  await ready('phoenix');
  await remove('phoenix');
});

test('what only a hand in the database makes is mended: what really runs wins', async () => {
  const pid = await ready('edited');
  await it.database.pool.query(
    `with i as (select uid from instances where name = 'edited'), e as (
       insert into events (instance_uid, instance_name, controller, reason, from_phase, to_phase, message)
       select uid, 'edited', 'test', 'Unhealthy', 'Ready', 'Unhealthy', 'by hand' from i)
     update statuses set phase = 'Unhealthy' where instance_uid in (select uid from i)`,
  );
  expect((await it.phase('edited', 'Ready')).status.pid).toBe(pid);
  await remove('edited');
});
