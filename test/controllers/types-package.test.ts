import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { removeTree } from '../../controllers/packages-tree.ts';
import { callTool, connectModern } from '../support/clients.ts';
import type { Event } from '../../specs/event.ts';
import { createInstallation } from '../support/installation.ts';
import type { Installation } from '../support/installation.ts';
import { startRegistry } from '../support/registry.ts';
import type { Registry } from '../support/registry.ts';
import { fixture } from '../support/specs.ts';
import { figmaServerJson } from '../support/types.ts';
import { until } from '../support/until.ts';

/** A published server.json becomes a process, and its next version takes the place of the first. */
let it: Installation;
let registry: Registry;

beforeAll(async () => {
  registry = await startRegistry();
  it = await createInstallation();
  await it.startApi();
  const timing = { probeTimeoutMs: 1_000, suspiciousMs: 100, calmMs: 300, activeMs: 300, failures: 2 };
  await it.startControllers({ timing, resyncMs: 2_000, env: registry.env(it.dataDir) });
});
afterAll(async () => {
  await it.stopControllers();
  await removeTree(join(it.dataDir, 'packages'));
  await it.close();
  await registry.close();
});

function publish(version: string): void {
  const files = {
    'echo.mjs': `#!/usr/bin/env node\n${readFileSync(fixture('echo.mjs'), 'utf8')}`,
    'rpc.mjs': readFileSync(fixture('rpc.mjs')),
  };
  registry.publish({ name: 'figma-developer-mcp', version, bin: 'echo.mjs', files });
}

function serverJson(version: string): object {
  return { ...figmaServerJson, version, packages: figmaServerJson.packages.map(each => ({ ...each, version })) };
}

async function put(path: string, body: unknown): Promise<void> {
  const reply = await it.api('PUT', path, body);
  expect([200, 201], JSON.stringify(reply.body)).toContain(reply.status);
}

async function ask(tool: string, args: Record<string, unknown> = {}): Promise<string> {
  const client = await connectModern((await it.api('GET', '/mcps/figma-one/access')).body);
  try {
    return (await callTool(client, tool, args)).text;
  } finally {
    await client.close();
  }
}

test('the package is installed, run with its arguments, and given its secret', async () => {
  publish('0.13.2');
  await put('/types/figma-context', figmaServerJson);
  await put('/api-keys/figma-key', { type: 'figma-context', values: { FIGMA_API_KEY: 'figd_a-secret-token' } });
  await put('/mcps/figma-one', { spec: { type: 'figma-context', apiKey: 'figma-key' } });
  await it.phase('figma-one', 'Ready', 30_000);
  expect(await ask('argv')).toBe('--stdio');
  expect(await ask('env', { name: 'FIGMA_API_KEY' })).toBe('figd_a-secret-token');
});

test('a version that cannot be had yet leaves the one before in service, and says so; then it takes over', async () => {
  const before = (await it.get('figma-one')).status;
  await put('/types/figma-context', serverJson('0.14.0'));
  const waiting = await until(
    'the condition',
    async () => {
      const { status } = await it.get('figma-one');
      return status.conditions.find(({ type, message }) => type === 'Misconfigured' && message.includes('0.14.0'));
    },
    30_000,
  );
  expect(waiting).toMatchObject({ status: 'True', reason: 'NotInstalled' });
  expect(await ask('echo', { text: 'goes on' })).toBe('goes on');
  expect((await it.get('figma-one')).status).toMatchObject({ phase: 'Ready', pid: before.pid });

  // Taken back, it is what it was: nothing is started anew, and nothing is waited for.
  await put('/types/figma-context', figmaServerJson);
  const { conditions } = await until('nothing is waited for', async () => {
    const { status } = await it.get('figma-one');
    return status.conditions.every(({ type }) => type === 'Ready') && status;
  });
  expect(conditions).toMatchObject([{ status: 'True' }]);
  expect((await it.get('figma-one')).status).toMatchObject({ phase: 'Ready', pid: before.pid });

  publish('0.15.0');
  await put('/types/figma-context', serverJson('0.15.0'));
  const after = await until(
    'a process of the new version',
    async () => {
      const { status } = await it.get('figma-one');
      return status.phase === 'Ready' && status.pid !== before.pid && status;
    },
    30_000,
  );
  expect([after.url, after.conditions.map(({ type }) => type)]).toEqual([before.url, ['Ready']]);
  const events = (await it.api('GET', '/mcps/figma-one/events?limit=500')).body.items as Event[];
  const told = events.map(({ reason }) => reason).filter(reason => /Install|Misconfigured|Killing/.test(reason));
  expect(told.slice(told.indexOf('Installed') + 1)).toEqual([
    'Installing',
    'Misconfigured',
    'Installing',
    'Installed',
    'Killing',
  ]);
  const [command] = readFileSync(`/proc/${await ask('pid')}/cmdline`, 'utf8')
    .split('\0')
    .slice(1);
  expect(command).toContain('0.15.0');
});
