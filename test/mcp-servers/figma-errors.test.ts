import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { FigmaFault } from '../fakes/figma/fault.ts';
import { callTool, connectLegacy } from '../support/clients.ts';
import type { ToolAnswer } from '../support/clients.ts';
import { landing, startFakeFigma, startFigmaHost } from '../support/figma.ts';
import type { FakeFigma } from '../support/figma.ts';
import { startHost } from '../support/host.ts';
import type { TestHost } from '../support/host.ts';
import { until } from '../support/until.ts';

let figma: FakeFigma;
let host: TestHost;
beforeAll(async () => {
  figma = await startFakeFigma();
  host = await startFigmaHost(figma);
});
afterAll(() => Promise.all([host.dispose(), figma[Symbol.asyncDispose]()]));
beforeEach(async () => {
  await figma.fail(null);
  await figma.forgetCalls();
});

const fileKey = landing(0);

async function ask(target: TestHost, name = 'get_figma_data', args: Record<string, unknown> = {}): Promise<ToolAnswer> {
  const client = await connectLegacy(target);
  try {
    return await callTool(client, name, { fileKey, ...args });
  } finally {
    await client.close();
  }
}

test.each<[FigmaFault['kind'], RegExp]>([
  ['bad-request', /did not accept the arguments \(400: Invalid depth.*Correct them/],
  ['unauthorized', /refused the token \(401: Token expired\).*PUT \/api\/v1\/api-keys/],
  ['no-scope', /lacks a scope for this \(403: .*file_metadata:read scope\).*PUT \/api\/v1\/api-keys/],
  ['forbidden', /may not do this \(403: File not exportable\).*access/],
  ['not-found', /found nothing there \(404\).*may not see/],
  ['unprocessable', /did not accept the arguments \(422: ids: too many of them\)/],
  ['server-error', /problem of its own \(500\).*minute/],
  ['many', /over 200000 nodes.*depth of 1 or 2/],
  ['not-json', /is no JSON.*Try again/],
  ['elsewhere', /refused the request \(302: a redirect, which is not followed/],
  ['truncated', /cut off.*Try again/],
])('%s is explained', async (kind, message) => {
  await figma.fail({ kind });
  expect(await ask(host)).toEqual({ isError: true, text: expect.stringMatching(message) });
  expect(await figma.calls()).toHaveLength(1);
  await figma.fail(null);
  expect((await ask(host, 'get_file_metadata')).isError).toBe(false);
});

test('a rate limit is remembered for its tier until its time is over, and told without asking Figma', async () => {
  await using other = await startFigmaHost(figma);
  await figma.fail({ kind: 'rate-limit-minute', times: 1 });
  const first = await ask(other);
  expect(first.isError).toBe(true);
  expect(first.text).toMatch(
    /Tier 1 requests is used up \(429; plan pro, a Dev or Full seat\)\. Wait 4[45] s, until 20\d\d-.*Z\. Until then/,
  );
  expect(first.text).not.toContain('evil.test');
  await figma.forgetCalls();
  const again = await ask(other, 'get_figma_data', { fileKey: landing(1) });
  expect(again.text).toMatch(/Wait 4\d s.*Figma was not asked: it has said so before/);
  expect((await ask(other, 'download_figma_images', { nodeIds: ['1:1'] })).text).toMatch(/Tier 1.*not asked/);
  expect(await figma.calls()).toEqual([]);
  // Other tiers have limits of their own.
  expect((await ask(other, 'get_comments')).isError).toBe(false);
  expect((await ask(other, 'get_file_metadata')).isError).toBe(false);
});

test('a rate limit is over when its time is', async () => {
  const file = { fileKey: landing(2) };
  await figma.fail({ kind: 'rate-limit', times: 1 });
  expect((await ask(host, 'get_figma_data', file)).text).toMatch(/Wait 1 s/);
  await until('the limit is over', async () => !(await ask(host, 'get_figma_data', file)).isError);
});

test('a limit of days is told with its reason and way out, and held for its file alone', async () => {
  const file = { fileKey: landing(3) };
  await figma.fail({ kind: 'rate-limit-month', times: 1 });
  const { text } = await ask(host, 'get_figma_data', file);
  expect(text).toMatch(/plan starter, a View or Collab seat, or a file in a Starter plan.*Wait 3967\d\d s/);
  expect(text).toContain('https://www.figma.com/files?api_paywall=true');
  expect((await ask(host, 'get_figma_data', file)).text).toMatch(/not asked/);
  expect((await ask(host, 'get_figma_data', { fileKey: landing(4) })).isError).toBe(false);
  expect(await figma.calls()).toHaveLength(2);
});

test('what a refusal repeats of the token is not told', async () => {
  await figma.fail({ kind: 'echo' });
  const answer = await ask(host, 'download_figma_images', { nodeIds: ['1:1'] });
  await figma.fail(null);
  expect(answer).toEqual({ isError: true, text: expect.stringContaining('No [secret] here') });
});

test('a wrong token says what to do, and is not told', async () => {
  await using other = await startFigmaHost(figma, { secrets: { token: 'figd_wrongtoken' } });
  const answer = await ask(other);
  expect(answer).toEqual({
    isError: true,
    text: expect.stringMatching(/refused the token \(403: Invalid token\).*PUT \/api\/v1\/api-keys/),
  });
  expect(answer.text).not.toContain('figd_wrongtoken');
  expect(other.output()).not.toContain('figd_wrongtoken');
});

test('a host without a token is misconfigured', async () => {
  await using other = await startHost({ type: 'figma', secrets: {} });
  expect((await other.exited).code).toBe(78);
  expect(other.exit()).toMatchObject({ reason: 'misconfigured', message: expect.stringContaining('token') });
});

test('nobody there is told from an error of Figma', async () => {
  const closed = createServer();
  await new Promise<void>(done => {
    closed.listen(0, '127.0.0.1', done);
  });
  const { port } = closed.address() as AddressInfo;
  await new Promise(done => {
    closed.close(done);
  });
  await using other = await startFigmaHost({ url: `http://127.0.0.1:${port}` });
  const answer = await ask(other);
  expect(answer).toEqual({ isError: true, text: expect.stringMatching(/could not be reached \(ECONNREFUSED\)/) });
});
