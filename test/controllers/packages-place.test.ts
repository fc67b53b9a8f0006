import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { removeTree } from '../../controllers/packages-tree.ts';
import type { ControllerName } from '../../src/roles/controllers.ts';
import type { Event } from '../../specs/event.ts';
import { createInstallation } from '../support/installation.ts';
import type { Installation } from '../support/installation.ts';
import { startRegistry } from '../support/registry.ts';
import type { Registry } from '../support/registry.ts';
import { stdioSpec } from '../support/specs.ts';
import { until } from '../support/until.ts';

/** What a node does for instances that are not its own to run: nothing, and it installs no package for them. */
let it: Installation;
let registry: Registry;

const cli = `#!/usr/bin/env node
  import { createInterface } from 'node:readline';
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, method, params } = JSON.parse(line);
    const result = method === 'initialize'
      ? { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'p', version: '1' } }
      : method === 'tools/list' ? { tools: [] } : {};
    if (id !== undefined) console.log(JSON.stringify({ jsonrpc: '2.0', id, result }));
  }`;

beforeAll(async () => {
  registry = await startRegistry();
  registry.publish({ name: 'packaged', version: '1.0.0', bin: 'cli.mjs', files: { 'cli.mjs': cli } });
  it = await createInstallation();
  await it.startApi();
});
afterAll(async () => {
  await it.stopControllers();
  await removeTree(join(it.dataDir, 'packages'));
  await it.close();
  await registry.close();
});

async function start(...only: ControllerName[]): Promise<void> {
  await it.startControllers({ only, resyncMs: 1_000, env: registry.env(it.dataDir) });
}

async function declare(name: string, spec: object): Promise<void> {
  const reply = await it.api('POST', '/mcps', { metadata: { name }, spec });
  expect(reply.status, JSON.stringify(reply.body)).toBe(201);
}

async function reasons(name: string): Promise<string[]> {
  const all = (await it.api('GET', `/mcps/${name}/events?limit=500`)).body.items as Event[];
  return all.map(event => event.reason);
}

function installed(): string[] {
  const directory = join(it.dataDir, 'packages');
  return existsSync(directory) ? readdirSync(directory) : [];
}

test('no package is installed for one that has no place yet', async () => {
  await start('process', 'health');
  const config = { package: 'packaged', version: '1.0.0' };
  await declare('placed', { type: 'stdio', restart: 'never', config });
  await until('it is seen to have no place', async () => {
    const { status } = await it.get('placed');
    return status.conditions.some(condition => condition.reason === 'NoPlace');
  });
  expect([await reasons('placed'), registry.requests, installed()]).toEqual([['Declared'], [], []]);
  await start('scheduler');
  await it.phase('placed', 'Ready', 30_000);
  expect(await reasons('placed')).toEqual(['Declared', 'Scheduled', 'Installing', 'Installed', 'Spawning', 'Ready']);
});

test('and none for one whose restart policy says: not again', async () => {
  process.kill((await it.get('placed')).status.pid!, 'SIGKILL');
  await it.phase('placed', 'Stopped');
  await it.stopControllers();
  await removeTree(join(it.dataDir, 'packages'));
  const asked = registry.requests.length;
  await start('process', 'health', 'scheduler');
  // Every instance is looked at when the controllers start, before another is declared.
  await declare('neighbour', stdioSpec('echo.mjs'));
  await it.phase('neighbour', 'Ready', 30_000);
  expect([registry.requests.slice(asked), installed()]).toEqual([[], []]);
  expect((await it.get('placed')).status.phase).toBe('Stopped');
});

test('a place on another node is none here, whatever its port', async () => {
  const { pool } = it.database;
  await pool.query(
    `insert into nodes (name, runtime, instance_host, port_from, port_to, boot_id, version)
     values ('elsewhere', 'builtin', '127.0.0.1', 1, 2, '', '')`,
  );
  await pool.query(
    `update placements set node = 'elsewhere' where instance_uid = (select uid from instances where name = 'neighbour')`,
  );
  const ended = await until('its process here is ended', async () => {
    const { rows } = await pool.query<{ stop_reason: string }>(
      `select stop_reason from attempts where instance_name = 'neighbour' and ended_at is not null`,
    );
    return rows[0];
  });
  expect(ended.stop_reason).toBe('moved');
});
