import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectLegacy, connectModern } from '../support/clients.ts';
import { startFakeFigma } from '../support/figma.ts';
import { startFakeGithub } from '../support/github.ts';
import { gmailSecrets, startFakeGmail } from '../support/gmail.ts';
import { createInstallation } from '../support/installation.ts';
import type { Installation } from '../support/installation.ts';
import { listFailures, runConformance } from './suite.ts';
import type { ScenarioResult } from './suite.ts';

/**
 * The protocol's own conformance suite against every built-in type, through the whole product. Most scenarios ask
 * for tools that only a test server has; what is listed here any server has to pass.
 */
let it: Installation;
const closers: (() => Promise<void>)[] = [];
/** With every tool that a type can offer. */
const types = [
  { type: 'github', values: { token: 'ghp_testtoken' }, config: {} },
  { type: 'figma', values: { token: 'figd_testtoken' }, config: {} },
  { type: 'gmail', values: gmailSecrets, config: { readOnly: false, allowSend: true } },
] as const;

beforeAll(async () => {
  const [github, figma, gmail] = await Promise.all([startFakeGithub(), startFakeFigma(), startFakeGmail()]);
  for (const fake of [github, figma, gmail]) closers.push(() => fake[Symbol.asyncDispose]());
  it = await createInstallation({
    env: {
      MINIMCP_GITHUB_API_URL: github.url,
      MINIMCP_FIGMA_API_URL: figma.url,
      MINIMCP_GMAIL_API_URL: gmail.url,
      MINIMCP_GOOGLE_TOKEN_URL: `${gmail.url}/token`,
    },
  });
  closers.push(() => it.close());
  await it.startApi();
  await it.startControllers();
  for (const { type, values, config } of types) {
    expect((await it.api('PUT', `/api-keys/${type}`, { type, values })).status).toBe(201);
    const spec = { type, apiKey: type, config, ttl: '1h' };
    expect((await it.api('POST', '/mcps', { metadata: { name: type }, spec })).status).toBe(201);
  }
  for (const { type } of types) await it.phase(type, 'Ready', 50_000);
});
afterAll(async () => {
  for (const close of closers.toReversed()) await close();
});

async function accessOf(name: string): Promise<{ url: string; token: string }> {
  const reply = await it.api('GET', `/mcps/${name}/access`);
  expect(reply.status).toBe(200);
  return reply.body;
}

/** Every check of a scenario with its outcome, in the suite's order. */
function outcomes(results: readonly ScenarioResult[], scenario: string): string[] {
  const { checks = [] } = results.find(each => each.scenario === scenario) ?? {};
  return checks.map(({ id, status }) => `${status} ${id}`);
}

const passed = (...ids: string[]): string[] => ids.map(id => `SUCCESS ${id}`);
const rebinding = passed('localhost-host-rebinding-rejected', 'localhost-host-valid-accepted');
const wire = 'wire-schema-valid';

/** Scenarios that ask for what a server may declare. Of one that does not, they find that it says so. */
const declarable = {
  'logging-set-level': 'logging',
  'prompts-list': 'prompts',
  'resources-list': 'resources',
} as const;

describe.each(types)('$type', ({ type }) => {
  test('2025-11-25', { timeout: 120_000 }, async () => {
    const access = await accessOf(type);
    const results = await runConformance({ ...access, args: ['--requirements', '2025-11-25'] });
    expect(results).toHaveLength(33);
    const expected = {
      'server-initialize': passed('server-initialize', 'server-session-id-visible-ascii', wire),
      ping: passed('ping', wire),
      'tools-list': passed('tools-list', 'tools-name-format', wire),
      'dns-rebinding-protection': rebinding,
      // The id of a session is only a name for its client: nothing is kept under it, so nothing can be ended.
      'server-session-lifecycle': [
        ...passed('server-session-initialized-accepted'),
        'SKIPPED server-session-delete-accepted',
        'SKIPPED server-session-terminated-returns-404',
      ],
      'server-sse-multiple-streams': passed('server-accepts-multiple-post-streams', 'server-sse-streams-functional'),
    };
    const seen = Object.keys(expected).map(scenario => [scenario, outcomes(results, scenario)]);
    expect(listFailures(results, new Set(Object.keys(expected)))).toEqual([]);
    expect(Object.fromEntries(seen)).toEqual(expected);

    const client = await connectLegacy(access);
    const capabilities = client.getServerCapabilities()!;
    expect((await client.listTools()).tools.length).toBeGreaterThan(5);
    await client.close();
    for (const [scenario, capability] of Object.entries(declarable)) {
      const [first] = outcomes(results, scenario);
      expect([scenario, first]).toEqual([
        scenario,
        `${capabilities[capability] === undefined ? 'FAILURE' : 'SUCCESS'} ${scenario}`,
      ]);
    }
    const subscribes = capabilities.resources?.subscribe === true ? 'SUCCESS' : 'FAILURE';
    expect(outcomes(results, 'resources-subscribe')[0]).toBe(`${subscribes} resources-subscribe`);
  });

  test('2026-07-28', { timeout: 120_000 }, async () => {
    const access = await accessOf(type);
    const results = await runConformance({ ...access, args: ['--requirements', '2026-07-28'] });
    expect(results).toHaveLength(50);
    const client = await connectModern(access);
    const capabilities = client.getServerCapabilities()!;
    await client.close();
    const expected = {
      'tools-list': passed('tools-list', 'tools-name-format', 'tools-list-deterministic-order', wire),
      'dns-rebinding-protection': rebinding,
      'server-sse-multiple-streams': [
        ...passed('server-accepts-multiple-post-streams'),
        'INFO server-sse-streams-functional',
      ],
    };
    const seen = Object.keys(expected).map(scenario => [scenario, outcomes(results, scenario)]);
    expect(listFailures(results, new Set([...Object.keys(expected), 'http-header-validation']))).toEqual([]);
    expect(Object.fromEntries(seen)).toEqual(expected);
    expect(outcomes(results, 'http-header-validation').filter(check => check.startsWith('SUCCESS'))).toHaveLength(14);

    const offered = (capability: 'prompts' | 'resources') =>
      capabilities[capability] === undefined ? 'FAILURE' : 'SUCCESS';
    expect(outcomes(results, 'caching')).toEqual([
      ...passed('sep-2549-tools-list-caching-hints'),
      `${offered('prompts')} sep-2549-prompts-list-caching-hints`,
      `${offered('resources')} sep-2549-resources-list-caching-hints`,
      `${offered('resources')} sep-2549-resources-templates-list-caching-hints`,
      expect.stringMatching(/^(SUCCESS|SKIPPED) sep-2549-resources-read-caching-hints$/),
      ...passed('sep-2549-ttl-non-negative', 'sep-2549-cache-scope-valid', wire),
    ]);

    // Four need tools that only the suite's own server has; the suite counts that as failed.
    const stateless = results.find(({ scenario }) => scenario === 'server-stateless')!.checks;
    const untestable = stateless.filter(({ message }) => message.startsWith('Not testable: '));
    expect(untestable.map(({ id }) => id)).toEqual([
      'sep-2575-server-rejects-undeclared-capability',
      'sep-2575-missing-capability-http-400',
      'sep-2575-http-server-no-independent-requests-on-stream',
      'sep-2575-server-no-log-without-loglevel',
    ]);
    const rest = stateless.filter(check => !untestable.includes(check));
    expect(rest.filter(({ status }) => status === 'FAILURE' || status === 'WARNING')).toEqual([]);
    expect(rest.filter(({ status }) => status === 'SUCCESS')).toHaveLength(24);
  });
});
