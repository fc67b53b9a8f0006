import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { removeTree } from '../../controllers/packages-tree.ts';
import type { Event } from '../../specs/event.ts';
import { callTool, connectModern } from '../support/clients.ts';
import { createInstallation } from '../support/installation.ts';
import type { Installation } from '../support/installation.ts';
import { startRegistry } from '../support/registry.ts';
import type { Registry } from '../support/registry.ts';
import { fixture, stdioSpec } from '../support/specs.ts';
import { until } from '../support/until.ts';

/** What an instance's events tell beside its phases: that its tools change, and that its package is installed. */
let it: Installation;
let registry: Registry;

beforeAll(async () => {
  registry = await startRegistry();
  it = await createInstallation();
  // Counts what is written of tools: an update of their columns, whether it changes them or not.
  await it.database.pool.query(
    `create table test_writes (attempt_id uuid not null);
     create function test_count() returns trigger language plpgsql as
       $$ begin insert into test_writes values (new.attempt_id); return null; end $$;
     create trigger test_count after update of tools on observations for each row execute function test_count()`,
  );
  await it.startApi();
  await it.startControllers({
    timing: { probeTimeoutMs: 2_000, suspiciousMs: 100, calmMs: 300, activeMs: 100, failures: 3 },
    resyncMs: 2_000,
    env: registry.env(it.dataDir),
  });
});
afterAll(async () => {
  await it.stopControllers();
  await removeTree(join(it.dataDir, 'packages'));
  await it.close();
  await registry.close();
});

async function events(name: string, reason?: string): Promise<Event[]> {
  const all = (await it.api('GET', `/mcps/${name}/events?limit=500`)).body.items as Event[];
  return all.filter(event => reason === undefined || event.reason === reason);
}

async function declare(name: string, spec: object): Promise<void> {
  const reply = await it.api('POST', '/mcps', { metadata: { name }, spec });
  expect(reply.status, JSON.stringify(reply.body)).toBe(201);
}

/** Restarts it and waits until what its new process has for tools was seen and compared. */
async function restart(name: string): Promise<void> {
  const { pid } = (await it.get(name)).status;
  await it.api('POST', `/mcps/${name}/restart`);
  await until('a new process is ready', async () => {
    const { status } = await it.get(name);
    return status.phase === 'Ready' && status.pid !== pid;
  });
  await compared(name);
}

async function compared(name: string): Promise<void> {
  await until('its tools are seen and known', async () => {
    const { rows } = await it.database.pool.query(
      `select from instances i join attempts a on a.instance_uid = i.uid and a.ended_at is null
       join observations o on o.attempt_id = a.id join tool_lists t on t.instance_uid = i.uid
       where i.name = $1 and o.tools_hash = t.hash`,
      [name],
    );
    return rows.length === 1;
  });
}

const tool = (name: string, description = name): object => ({ name, description, inputSchema: { type: 'object' } });

test('tools that change are told once with their names; the same ones after a restart are not', async () => {
  const file = join(it.dataDir, 'tools.json');
  const write = (...tools: object[]): void => writeFileSync(file, JSON.stringify(tools));
  write(tool('alpha'), tool('beta'));
  await declare('changing', stdioSpec('tools-from-file.mjs', file));
  await it.phase('changing', 'Ready');
  await compared('changing');
  // In another order, they are the same.
  write(tool('beta'), tool('alpha'));
  await restart('changing');
  expect(await events('changing', 'ToolsChanged')).toEqual([]);

  write(tool('alpha', 'alpha, and tell nobody'), tool('gamma'));
  await restart('changing');
  const first = await events('changing', 'ToolsChanged');
  expect(first).toHaveLength(1);
  expect(first[0]).toMatchObject({
    controller: 'process',
    from: null,
    to: null,
    message: 'Its tools are others than before: added gamma; removed beta; changed alpha.',
    data: {
      before: expect.stringMatching(/^[0-9a-f]{64}$/),
      after: expect.stringMatching(/^[0-9a-f]{64}$/),
      specChanged: false,
      added: ['gamma'],
      removed: ['beta'],
      changed: ['alpha'],
    },
  });

  // At run time: the server says so itself, and nobody restarts it.
  const { pid } = (await it.get('changing')).status;
  write(tool('alpha', 'alpha, and tell nobody'), tool('gamma'), tool('delta'));
  const access = (await it.api('GET', '/mcps/changing/access')).body as { url: string; token: string };
  const client = await connectModern(access);
  expect((await callTool(client, 'announce')).text).toBe('told');
  await client.close();
  const second = await until('the change is told', async () => {
    const told = await events('changing', 'ToolsChanged');
    return told.length > 1 && told;
  });
  expect(second).toHaveLength(2);
  expect(second[1]).toMatchObject({
    message: 'Its tools are others than before: added delta.',
    data: { before: first[0]!.data['after'], added: ['delta'], removed: [], changed: [] },
  });
  expect((await it.get('changing')).status).toMatchObject({ pid, phase: 'Ready' });

  // Each process was probed many times, and its tools were written once, and once more when they changed.
  const { rows } = await it.database.pool.query<{ writes: number }>(
    'select count(*)::int as writes from test_writes group by attempt_id order by attempt_id',
  );
  expect(rows.map(({ writes }) => writes)).toEqual([1, 1, 2]);
}, 40_000);

test('other tools after a change of the type or of the api key are told as such; other ones as what they are', async () => {
  const write = (file: string, ...tools: object[]): string => {
    const path = join(it.dataDir, file);
    writeFileSync(path, JSON.stringify(tools));
    return path;
  };
  const inputs = { token: { secret: true, required: true } };
  const command = ['node', fixture('tools-from-file.mjs')];
  const type = (file: string): object => ({ title: 'T', command, args: [file], env: { TOKEN: '{token}' }, inputs });
  const put = async (path: string, body: object): Promise<void> =>
    expect([200, 201]).toContain((await it.api('PUT', path, body)).status);
  const told = async (count: number): Promise<unknown[]> => {
    const all = await until(`event ${count}`, async () => {
      const found = await events('rolled', 'ToolsChanged');
      return found.length >= count && found;
    });
    return all.map(({ message, data }) => [
      data['specChanged'],
      message.includes('was changed meanwhile'),
      data['added'],
    ]);
  };
  const first = write('first.json', tool('alpha'));
  await put('/types/tooled', type(first));
  await put('/api-keys/tooled-key', { type: 'tooled', values: { token: 'one-secret' } });
  await declare('rolled', { type: 'tooled', apiKey: 'tooled-key' });
  await it.phase('rolled', 'Ready');
  await compared('rolled');

  const second = write('second.json', tool('alpha'), tool('beta'));
  await put('/types/tooled', type(second));
  const rolled = [true, true, ['beta']];
  expect(await told(1)).toEqual([rolled]);
  // Nobody has changed anything here.
  write('second.json', tool('alpha'), tool('beta'), tool('gamma'));
  await restart('rolled');
  const hostile = [false, false, ['gamma']];
  expect(await told(2)).toEqual([rolled, hostile]);
  // Another account may do other things.
  write('second.json', tool('alpha'), tool('beta'), tool('gamma'), tool('delta'));
  await put('/api-keys/tooled-key', { type: 'tooled', values: { token: 'two-secret' } });
  expect(await told(3)).toEqual([rolled, hostile, [true, true, ['delta']]]);
}, 40_000);

test('an installation is told when it begins and when it is done, once each, and holds nobody up', async () => {
  const cli = `#!/usr/bin/env node
    import { createInterface } from 'node:readline';
    for await (const line of createInterface({ input: process.stdin })) {
      const { id, method, params } = JSON.parse(line);
      const result = method === 'initialize'
        ? { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'p', version: '1' } }
        : method === 'tools/list' ? { tools: [] } : {};
      if (id !== undefined) console.log(JSON.stringify({ jsonrpc: '2.0', id, result }));
    }`;
  registry.publish({ name: 'packaged', version: '1.0.0', bin: 'cli.mjs', files: { 'cli.mjs': cli } });
  const release = registry.hold(/^\/packaged$/);
  const config = { package: 'packaged', version: '1.0.0' };
  await declare('waiting', { type: 'stdio', config });
  const told = await until('it is told', async () => {
    const all = await events('waiting', 'Installing');
    return all.length > 0 && all;
  });
  expect(told).toMatchObject([{ message: 'Installing packaged@1.0.0', from: null, to: null }]);
  expect((await it.get('waiting')).status.conditions).toMatchObject([
    { type: 'Installing', status: 'True', message: 'Installing packaged@1.0.0' },
    { type: 'Ready', status: 'False' },
  ]);
  // Another one starts meanwhile.
  await declare('neighbour', stdioSpec('echo.mjs'));
  await it.phase('neighbour', 'Ready');
  expect((await it.get('waiting')).status.phase).toBe('Pending');
  release();
  await it.phase('waiting', 'Ready');
  const all = await events('waiting');
  expect(all.map(event => event.reason).filter(reason => reason !== 'Scheduled')).toEqual([
    'Declared',
    'Installing',
    'Installed',
    'Spawning',
    'Ready',
  ]);
  expect(all.find(event => event.reason === 'Installed')).toMatchObject({
    message: 'Installed packaged@1.0.0',
    data: {
      package: 'packaged',
      version: '1.0.0',
      integrity: registry.integrity('packaged'),
      packages: 1,
      bytes: expect.any(Number),
      ms: expect.any(Number),
    },
  });

  // What is there already is nothing to tell, also to controllers that have to look first.
  await it.stopControllers();
  await it.startControllers({ resyncMs: 2_000, env: registry.env(it.dataDir) });
  await declare('later', { type: 'stdio', config });
  await it.phase('later', 'Ready');
  expect((await events('later')).map(event => event.reason)).not.toContain('Installing');
}, 40_000);

test('a package that cannot be installed is told once, however often it is tried', async () => {
  await declare('missing', { type: 'stdio', config: { package: 'not-published', version: '1.0.0' } });
  const waiting = await until('the condition', async () => {
    const { status } = await it.get('missing');
    return status.conditions.some(condition => condition.type === 'Misconfigured') && status;
  });
  expect(waiting.conditions[0]).toMatchObject({
    reason: 'NotInstalled',
    message: expect.stringMatching(/^not-published@1.0.0 could not be installed: .*404/),
  });
  expect((await events('missing')).map(event => event.reason).filter(reason => reason !== 'Scheduled')).toEqual([
    'Declared',
    'Installing',
    'Misconfigured',
  ]);
});
