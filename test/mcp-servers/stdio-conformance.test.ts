import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listFailures, requiredScenarios, runConformance } from '../conformance/suite.ts';
import type { Check, ScenarioResult } from '../conformance/suite.ts';
import { fixture } from '../support/fixture.ts';
import { startHost } from '../support/host.ts';
import type { TestHost } from '../support/host.ts';
import { until } from '../support/until.ts';

type Revision = '2025-11-25' | '2026-07-28';

/** The suite begins a session for each scenario, so a child's start counts thirtyfold. */
let cache: string;
beforeAll(() => {
  cache = mkdtempSync(join(tmpdir(), 'minimcp-conformance-cache-'));
});
afterAll(() => rmSync(cache, { recursive: true, force: true }));

async function start(isolation: 'shared' | 'session', speaks: 'legacy' | 'both'): Promise<TestHost> {
  const env = { PATH: process.env['PATH'] ?? '', NODE_COMPILE_CACHE: cache };
  const argv = fixture('conformance-server', speaks);
  const host = await startHost({ command: { argv, env }, config: { isolation } });
  await until('it is up', async () => (await host.health()).ok);
  return host;
}

/** What the suite runs for a revision, less the tasks extension and the headers of tools that have none. */
async function run(host: TestHost, revision: Revision): Promise<ScenarioResult[]> {
  const results = await runConformance({ ...host, args: ['--requirements', revision] });
  const ran = new Set(results.map(({ scenario }) => scenario));
  expect([...requiredScenarios(revision)].filter(scenario => !ran.has(scenario))).toEqual([]);
  return results.filter(
    ({ scenario }) => !scenario.startsWith('tasks-') && scenario !== 'http-custom-header-server-validation',
  );
}

function count(results: readonly ScenarioResult[], status: Check['status']): number {
  return results.flatMap(({ checks }) => checks).filter(check => check.status === status).length;
}

/** Without a session nobody can be asked anything, and nothing can be pushed: that and no more is missing. */
const needsSession = [
  'elicitation-sep1034-defaults',
  'elicitation-sep1330-enums',
  'tools-call-elicitation',
  'tools-call-sampling',
];
const needsPush = ['resources-subscribe', 'resources-unsubscribe'];

describe.each([
  ['session', 'both', []],
  ['shared', 'both', [...needsSession, ...needsPush]],
  ['shared', 'legacy', needsSession],
] as const)('isolation %s before a server that speaks %s', (isolation, speaks, missing) => {
  let host: TestHost;
  beforeAll(async () => {
    host = await start(isolation, speaks);
  });
  afterAll(() => host.dispose());

  test(`passes 2025-11-25 but for ${missing.length} scenarios, and what the suite asks besides`, async () => {
    const results = await run(host, '2025-11-25');
    const failed = listFailures(results).map(line => line.split(':', 1)[0]!);
    expect(new Set(failed)).toEqual(new Set(missing));
    const names = results.map(({ scenario }) => scenario);
    expect(names).toEqual(expect.arrayContaining(['dns-rebinding-protection', 'server-session-lifecycle']));
    if (isolation === 'session') expect(count(results, 'WARNING')).toBe(0);
  }, 120_000);

  // What a server that speaks no 2026-07-28 is asked in it is another matter: nobody could pass that on.
  if (speaks === 'legacy') return;

  test('passes 2026-07-28, and what the suite asks besides', async () => {
    const results = await run(host, '2026-07-28');
    expect(listFailures(results)).toEqual([]);
    expect(count(results, 'WARNING')).toBe(0);
    expect(count(results, 'SUCCESS')).toBeGreaterThan(100);
    const names = results.map(({ scenario }) => scenario);
    expect(names).toEqual(expect.arrayContaining(['dns-rebinding-protection', 'http-header-validation', 'caching']));
  }, 60_000);
});
