import { afterAll, beforeAll, expect, test } from 'vitest';
import { fixture } from '../support/fixture.ts';
import { createInstallation } from '../support/installation.ts';
import type { Installation } from '../support/installation.ts';
import { listFailures, requiredScenarios, runConformance } from './suite.ts';

/**
 * A server with everything that the conformance suite asks for, over stdio, behind the whole product: what its
 * clients are owed gets through assignment, guards, token and bridge.
 */
let it: Installation;

beforeAll(async () => {
  it = await createInstallation();
  await it.startApi();
  await it.startControllers();
});
afterAll(async () => {
  await it.close();
});

// For information alone: answers came as JSON, not as streams, which is the server's choice.
const modern = {
  revision: '2026-07-28',
  scenarios: 37,
  passed: 120,
  others: ['server-sse-streams-functional'],
} as const;
const cases = [
  {
    isolation: 'session',
    era: 'both',
    runs: [{ revision: '2025-11-25', scenarios: 30, passed: 70, others: [] }, modern],
  },
  { isolation: 'shared', era: 'modern', runs: [modern] },
] as const;

test.each(cases)(
  'isolation $isolation, a server that speaks $era: all that is required',
  // Each session starts a child: seconds of CPU that other tests want as well.
  { timeout: 120_000 },
  async ({ isolation, era, runs }) => {
    const spec = { type: 'stdio', config: { command: fixture('conformance-server', era), isolation }, ttl: '1h' };
    expect((await it.api('POST', '/mcps', { metadata: { name: isolation }, spec })).status).toBe(201);
    await it.phase(isolation, 'Ready', 50_000);
    const access = (await it.api('GET', `/mcps/${isolation}/access`)).body as { url: string; token: string };
    for (const { revision, scenarios, passed, others } of runs) {
      const required = requiredScenarios(revision);
      expect(required.size).toBe(scenarios);
      const results = await runConformance({ ...access, args: ['--requirements', revision] });
      const ran = results.filter(({ scenario }) => required.has(scenario));
      expect(ran.map(({ scenario }) => scenario).toSorted()).toEqual([...required].toSorted());
      expect(listFailures(ran)).toEqual([]);
      const checks = ran.flatMap(each => each.checks);
      expect(checks.filter(({ status }) => status === 'SUCCESS')).toHaveLength(passed);
      expect(checks.filter(({ status }) => status !== 'SUCCESS').map(({ id }) => id)).toEqual(others);
    }
    expect((await it.api('DELETE', `/mcps/${isolation}?wait=10s`)).status).toBe(200);
  },
);
