import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCredentials } from '../../mcp-servers/gmail/credentials.ts';
import { mapBounded } from '../../mcp-servers/gmail/result.ts';
import type { GmailFault } from '../fakes/gmail/fault.ts';
import { callTool, connectModern } from '../support/clients.ts';
import type { ToolAnswer } from '../support/clients.ts';
import { gmailSecrets, startFakeGmail, startGmailHost } from '../support/gmail.ts';
import type { FakeGmail } from '../support/gmail.ts';
import type { HostOptions, TestHost } from '../support/host.ts';
import { until } from '../support/until.ts';

let gmail: FakeGmail;
let host: TestHost;
let client: Awaited<ReturnType<typeof connectModern>>;
beforeAll(async () => {
  gmail = await startFakeGmail();
  host = await startGmailHost(gmail);
  client = await connectModern(host);
});
afterAll(async () => {
  await client.close();
  await Promise.all([host.dispose(), gmail[Symbol.asyncDispose]()]);
});

const ask = (): Promise<ToolAnswer> => callTool(client, 'get_message', { messageId: 'a001' });

async function askOnce(options: HostOptions): Promise<ToolAnswer> {
  await using other = await startGmailHost(gmail, options);
  const once = await connectModern(other);
  try {
    return await callTool(once, 'get_message', { messageId: 'a001' });
  } finally {
    await once.close();
  }
}

/** An address where nobody listens any more. */
async function closedUrl(): Promise<string> {
  const closed = createServer();
  await new Promise<void>(done => {
    closed.listen(0, '127.0.0.1', done);
  });
  const { port } = closed.address() as AddressInfo;
  await new Promise(done => {
    closed.close(done);
  });
  return `http://127.0.0.1:${port}`;
}

test.each<[GmailFault['kind'], RegExp]>([
  ['rate-limit', /fewer requests \(403: Rate Limit Exceeded\).*Wait a minute/],
  ['user-rate-limit', /fewer requests \(403: User Rate Limit Exceeded\).*Wait 12 s/],
  ['too-many', /fewer requests \(429: .*Wait 7 s/],
  ['daily-limit', /quota .* used up \(403: Daily Limit.*midnight, Pacific.*Quotas/],
  ['scope', /scopes do not allow this \(403.*gmail\.modify.*PUT \/api\/v1\/api-keys/],
  ['domain-policy', /administrator .* does not allow it \(403/],
  ['not-enabled', /Gmail API is not enabled.*Enable it/],
  ['delegation', /may not do this \(403: Delegation denied.*config names a user/],
  ['conflict', /conflict \(409: Concurrent update\).*Read the present state/],
  ['precondition', /present state \(412: Precondition check failed/],
  ['unprocessable', /present state \(422: Label is not allowed here/],
  ['server-error', /problem of its own \(503\).*minute/],
  ['not-json', /cut off.*Try again/],
  ['empty', /cut off.*Try again/],
  ['truncated', /cut off|could not be reached/],
])('%s is explained, and not tried again', async (kind, message) => {
  await gmail.forgetCalls();
  await gmail.fail({ kind, path: '^/gmail/' });
  const answer = await ask();
  await gmail.fail(null);
  expect(answer).toEqual({ isError: true, text: expect.stringMatching(message) });
  expect((await gmail.calls()).filter(({ path }) => path !== '/token')).toHaveLength(1);
  expect((await ask()).isError).toBe(false);
});

test('after the first failure nothing further is asked for', async () => {
  const begun: number[] = [];
  const each = async (item: number) => {
    begun.push(item);
    await nextTurn();
    if (item === 2) throw new Error('no');
    return item;
  };
  const items = Array.from({ length: 30 }, (_, index) => index);
  await expect(mapBounded(items, 3, each)).rejects.toThrow('no');
  for (let turn = 0; turn < 50; turn += 1) await nextTurn();
  expect(begun.length).toBeLessThanOrEqual(5);
  expect(await mapBounded([5, 6, 7], 2, each)).toEqual([5, 6, 7]);
});

test('a thread that goes away while it is listed is left out', async () => {
  await gmail.fail({ kind: 'not-found', path: '/threads/e038$' });
  const { isError, text } = await callTool(client, 'search_threads', { query: 'report', pageSize: 4 });
  await gmail.fail(null);
  expect(isError, text).toBe(false);
  const { items } = JSON.parse(text) as { items: { threadId: string }[] };
  expect(items.map(({ threadId }) => threadId)).toEqual(['e039', 'e037', 'e036']);
});

test('401 with a fresh token too is about the api key', async () => {
  await gmail.forgetCalls();
  await gmail.fail({ kind: 'unauthorized', path: '^/gmail/' });
  const answer = await ask();
  await gmail.fail(null);
  expect(answer).toEqual({
    isError: true,
    text: expect.stringMatching(/refused the access token \(401.*PUT \/api\/v1/),
  });
  expect((await gmail.calls()).map(({ path }) => path)).toEqual([
    expect.stringMatching('^/gmail/'),
    '/token',
    expect.stringMatching('^/gmail/'),
  ]);
});

test('what is not there is said with where to look', async () => {
  const missing = await callTool(client, 'get_thread', { threadId: 'ffff' });
  expect(missing).toEqual({ isError: true, text: expect.stringMatching(/nothing there \(404\).*search_threads/) });
});

test.each<[GmailFault['kind'], RegExp]>([
  [
    'invalid-grant',
    /no longer accepts the refresh token \(invalid_grant: Token has been expired or revoked.*password.*six months.*"Testing".*seven days.*Publish.*PUT \/api\/v1\/api-keys\/<name>/,
  ],
  ['invalid-client', /does not know the OAuth client \(invalid_client.*clientSecret/],
  ['unauthorized-client', /not made for this OAuth client/],
  ['server-error', /token endpoint has a problem of its own \(503\)/],
  ['too-many', /token endpoint asks for fewer requests \(429\)/],
  ['not-json', /something else than a token/],
  ['truncated', /token endpoint could not be reached/],
])('%s of the token endpoint is explained, asked once', async (kind, message) => {
  await ask();
  await gmail.control('DELETE', 'tokens');
  await gmail.forgetCalls();
  await gmail.fail({ kind, path: '^/token$' });
  const answer = await ask();
  await gmail.fail(null);
  expect(answer).toEqual({ isError: true, text: expect.stringMatching(message) });
  expect((await gmail.calls()).map(({ path, status }) => [path, status])).toEqual([
    ['/gmail/v1/users/me/messages/a001', 401],
    ['/token', expect.any(Number)],
  ]);
});

test('what a refusal repeats of the api key is not told', async () => {
  const mail = { to: ['anna@example.com'], subject: 'Hi', body: 'Hi' };
  for (const [name, args] of [
    ['send_message', mail],
    ['create_draft', mail],
    ['get_message', { messageId: 'a001' }],
  ] as const) {
    await gmail.fail({ kind: 'echo', path: '^/gmail/' });
    const answer = await callTool(client, name, args);
    await gmail.fail(null);
    expect(answer).toEqual({ isError: true, text: expect.stringContaining('(300: Sent with [secret])') });
  }
});

test('nobody there is told from an error of Gmail', async () => {
  const nowhere = await closedUrl();
  expect(await askOnce({ upstreamUrl: nowhere })).toEqual({
    isError: true,
    text: expect.stringMatching(/^Gmail could not be reached \(ECONNREFUSED\)/),
  });
  expect(await askOnce({ tokenUrl: `${nowhere}/token` })).toEqual({
    isError: true,
    text: expect.stringMatching(/^Google's token endpoint could not be reached \(ECONNREFUSED\)/),
  });
});

test('credentials follow no redirect', async () => {
  const { createServer: createHttpServer } = await import('node:http');
  const asked: string[] = [];
  const server = createHttpServer((request, response) => {
    asked.push(request.url!);
    response.writeHead(307, { location: `${gmail.url}${request.url}` }).end();
  });
  await new Promise<void>(done => {
    server.listen(0, '127.0.0.1', done);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await gmail.forgetCalls();
  expect((await askOnce({ tokenUrl: `${url}/token` })).text).toMatch(/could not be reached/);
  expect(asked).toEqual(['/token']);
  expect(await gmail.calls()).toEqual([]);
  server.closeAllConnections();
  server.close();
});

test('a call that its client gives up is given up at Gmail too', async () => {
  await gmail.forgetCalls();
  await gmail.fail({ kind: 'slow', delayMs: 60_000, times: 1, path: '/messages/a001$' });
  const abort = new AbortController();
  const given = client.callTool({ name: 'get_message', arguments: { messageId: 'a001' } }, { signal: abort.signal });
  given.catch(() => {});
  await until('Gmail is asked', async () => (await gmail.calls()).length > 0);
  abort.abort();
  await expect(given).rejects.toThrow();
  await until('Gmail sees the end of it', async () => (await gmail.calls()).some(({ aborted }) => aborted));
  await gmail.fail(null);
  expect((await ask()).isError).toBe(false);
});

test('who waits for a token can give up before there is one', async () => {
  const { auth } = await import('@googleapis/gmail');
  const credentials = createCredentials(auth, {
    account: { kind: 'user', ...gmailSecrets },
    scope: '',
    tokenUrl: `${gmail.url}/token`,
  });
  await gmail.forgetCalls();
  await gmail.fail({ kind: 'slow', delayMs: 60_000, times: 1, path: '^/token$' });
  const abort = new AbortController();
  const headers = credentials.getHeaders(abort.signal);
  headers.catch(() => {});
  await until('the token endpoint is asked', async () => (await gmail.calls()).length > 0);
  abort.abort();
  await expect(headers).rejects.toBe(abort.signal.reason);
  await gmail.fail(null);
});

test('a call that gives up while it waits for a token leaves the token to the others', async () => {
  await using other = await startGmailHost(gmail);
  const two = await Promise.all([connectModern(other), connectModern(other)]);
  await gmail.forgetCalls();
  await gmail.fail({ kind: 'slow', delayMs: 2500, times: 1, path: '^/token$' });
  const abort = new AbortController();
  const message = { name: 'get_message', arguments: { messageId: 'a001' } };
  const given = two[0].callTool(message, { signal: abort.signal });
  given.catch(() => {});
  const kept = two[1].callTool(message);
  await until('the token endpoint is asked', async () => (await gmail.calls()).length > 0);
  abort.abort();
  await expect(given).rejects.toThrow();
  expect((await kept).isError).not.toBe(true);
  expect((await gmail.calls()).map(({ path, aborted }) => [path, aborted])).toEqual([
    ['/token', false],
    ['/gmail/v1/users/me/messages/a001', false],
  ]);
  await Promise.all(two.map(each => each.close()));
});
