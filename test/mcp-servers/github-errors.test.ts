import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { explainFailure } from '../../mcp-servers/github/errors.ts';
import { startGithub } from '../../mcp-servers/github/github.ts';
import { createConceal } from '../../mcp-servers/host/log.ts';
import type { Assignment } from '../../specs/assignment.ts';
import { githubConfig } from '../../specs/types/github.ts';
import { callTool, connectLegacy } from '../support/clients.ts';
import type { ToolAnswer } from '../support/clients.ts';
import type { GithubFault } from '../fakes/github/fault.ts';
import { startFakeGithub } from '../support/github.ts';
import type { FakeGithub } from '../support/github.ts';
import { startHost } from '../support/host.ts';
import type { HostOptions, TestHost } from '../support/host.ts';

let github: FakeGithub;
let host: TestHost;
beforeAll(async () => {
  github = await startFakeGithub();
  host = await startHost({ upstreamUrl: github.url });
});
afterAll(() => Promise.all([host.dispose(), github[Symbol.asyncDispose]()]));

async function ask(target: TestHost, name = 'get_me', args: Record<string, unknown> = {}): Promise<ToolAnswer> {
  const client = await connectLegacy(target);
  try {
    return await callTool(client, name, args);
  } finally {
    await client.close();
  }
}

async function askOnce(options: HostOptions): Promise<ToolAnswer> {
  await using other = await startHost(options);
  // Awaited here, or the host would be gone before it answers.
  return await ask(other);
}

test.each<[GithubFault['kind'], RegExp]>([
  ['rate-limit', /rate limit .* used up .*starts anew at 20\d\d-.*Z, in (8\d|90) s/],
  ['secondary-limit', /secondary rate limit.*Wait 60 s/],
  ['too-many', /fewer requests \(429.*Wait 7 s/],
  ['absurd-limit', /secondary rate limit.*Wait a minute/],
  ['sso', /403: Resource protected.*single sign-on/],
  ['not-found', /nothing there \(404\)/],
  ['invalid', /422: Validation Failed; title is too clever.*Correct them/],
  ['echo', /422: No user for \[secret\]\)/],
  ['no-json', /none of the GitHub API: check the base URL/],
  ['half-json', /cut off/],
  ['forbidden', /may not do this \(403: Resource not accessible.*issues=write/],
  ['conflict', /conflict \(409: Git Repository is empty/],
  ['server-error', /problem of its own \(502\).*minute/],
])('%s is explained', async (kind, message) => {
  await github.fail({ kind });
  const answer = await ask(host);
  expect(answer).toEqual({ isError: true, text: expect.stringMatching(message) });
  await github.fail(null);
  expect((await ask(host)).isError).toBe(false);
});

test('an answer that breaks off is an error, not half a result', async () => {
  await github.fail({ kind: 'truncated' });
  const about = { owner: 'mona', repo: 'demo' };
  const branches = await ask(host, 'list_branches', about);
  expect(branches).toEqual({ isError: true, text: expect.stringMatching(/was cut off. Try again/) });
  const diff = await ask(host, 'pull_request_read', { ...about, method: 'get_diff', pullNumber: 46 });
  expect(diff).toEqual({ isError: true, text: expect.stringMatching(/was cut off. Try again/) });
  await github.fail(null);
});

test('an answer of another shape is an error, not a crash', async () => {
  await github.fail({ kind: 'wrong-shape' });
  const answer = await ask(host, 'list_branches', { owner: 'mona', repo: 'demo' });
  expect(answer).toEqual({ isError: true, text: expect.stringMatching(/not what its API promises/) });
  await github.fail(null);
});

test("a fault of the program's own is not the network's", () => {
  // As Octokit wraps what its fetch throws.
  const wrapped = (cause: Error) => Object.assign(new Error('Unknown error', { cause }), { status: 500 });
  const own = explainFailure(wrapped(new RangeError('Invalid array length')), 0);
  expect(own).toMatch(/^MiniMCP could not read GitHub's answer/);
  const reset = Object.assign(new Error('x'), { code: 'ECONNRESET' });
  const failed = new TypeError('fetch failed', { cause: reset });
  expect(explainFailure(wrapped(failed), 0)).toMatch(/could not be reached \(ECONNRESET\)/);
});

test('what GitHub refuses comes with its reason', async () => {
  const demo = { owner: 'mona', repo: 'demo' };
  const missing = await ask(host, 'issue_read', { ...demo, method: 'get', issue_number: 9999 });
  expect(missing).toEqual({ isError: true, text: expect.stringMatching(/404.*private repository/) });
  const nowhere = await ask(host, 'list_issues', { owner: 'mona', repo: 'nope' });
  expect(nowhere.text).toMatch(/404/);
});

test('a wrong token says what to do, and is not told', async () => {
  const answer = await askOnce({ upstreamUrl: github.url, secrets: { token: 'ghp_wrongtoken' } });
  expect(answer.text).toMatch(/refused the token \(401: Bad credentials\).*PUT \/api\/v1\/api-keys/);
  expect(answer.text).not.toContain('ghp_wrongtoken');
});

test('a host without a token is misconfigured', async () => {
  await using other = await startHost({ secrets: {} });
  expect((await other.exited).code).toBe(78);
  expect(other.exit()).toMatchObject({ reason: 'misconfigured', message: expect.stringContaining('token') });
});

test('what is no token stops the start, and is not told', async () => {
  await using other = await startHost({ secrets: { token: 'ghp_test\ntoken' } });
  expect((await other.exited).code).toBe(78);
  expect(other.exit()).toMatchObject({ reason: 'misconfigured', message: expect.stringContaining('no GitHub token') });
  expect(JSON.stringify(other.exit()) + other.output()).not.toMatch(/ghp_/);
  for (const token of ['ghp_test token', 'ghp_tést', '   ', 'ghp_\u0000']) {
    const assignment = { config: {}, secrets: { token }, upstreamUrl: null } as unknown as Assignment;
    expect(() => startGithub({ assignment, conceal: createConceal([]) })).toThrow(/no GitHub token/);
  }
});

test.each(['https://me:secret@github.test', 'https://github.test/?a', 'https://github.test/#a', 'ftp://github.test'])(
  'the base URL %s is refused when it is declared',
  baseUrl => {
    expect(githubConfig.safeParse({ baseUrl }).success).toBe(false);
  },
);

test('a token keeps working with the line break that its file ended with', async () => {
  const answer = await askOnce({ upstreamUrl: github.url, secrets: { token: 'ghp_testtoken\n' } });
  expect(answer.isError).toBe(false);
});

test('nobody there is told from an error of GitHub', async () => {
  const closed = createServer();
  await new Promise<void>(done => {
    closed.listen(0, '127.0.0.1', done);
  });
  const { port } = closed.address() as AddressInfo;
  await new Promise(done => {
    closed.close(done);
  });
  const answer = await askOnce({ upstreamUrl: `http://127.0.0.1:${port}` });
  expect(answer).toEqual({ isError: true, text: expect.stringMatching(/could not be reached \(ECONNREFUSED\)/) });
});
