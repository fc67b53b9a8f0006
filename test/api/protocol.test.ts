import { once } from 'node:events';
import { connect, createConnection } from 'node:net';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { problem } from '../../specs/problem.ts';
import { createTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { until } from '../support/until.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi({ MINIMCP_API_HOST: '127.0.0.9' });
  await api.app.listen({ port: 0, host: '127.0.0.1' });
});
afterAll(async () => {
  await api.close();
});

const listeningPort = (): number => (api.app.server.address() as AddressInfo).port;
const kind = (name: string): string => `urn:minimcp:problem:${name}`;

test('what does not exist is 404, what is asked wrongly 405 with Allow', async () => {
  for (const url of ['/nothing', '/api', '/api/v1', '/api/v2/mcps', '/api/v1/mcps/a/b/c', '/api/v1/mcps/', '//']) {
    const response = await api.ask('GET', url);
    expect([url, response.statusCode, problem.parse(response.json()).type]).toEqual([url, 404, kind('not-found')]);
  }
  for (const [method, url, allow] of [
    ['DELETE', '/api/v1/mcps', 'GET, POST'],
    ['POST', '/api/v1/mcps/x', 'GET, HEAD, PUT, PATCH, DELETE'],
    ['GET', '/api/v1/mcps/x/extend', 'POST'],
    ['PUT', '/livez', 'GET, HEAD'],
    ['OPTIONS', '/api/v1/types', 'GET, HEAD'],
  ] as const) {
    const response = await api.ask(method, url, method === 'GET' ? undefined : '{');
    expect([url, response.statusCode, response.json().type]).toEqual([url, 405, kind('method-not-allowed')]);
    expect(response.headers['allow']!.split(', ').toSorted()).toEqual(allow.split(', ').toSorted());
  }
});

test('a URL that is none is 400', async () => {
  const response = await api.ask('GET', '/api/v1/mcps/%zz');
  expect([response.statusCode, problem.parse(response.json()).type]).toEqual([400, kind('invalid-request')]);
  expect(response.headers['x-request-id']).toBe(response.json().requestId);
});

test('bytes that are no HTTP get a problem document and the door', async () => {
  const port = listeningPort();
  for (const [sent, status] of [
    ['hello\r\n\r\n', 400],
    ['GET /livez HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n', 421],
    ['GET /livez HTTP/1.0\r\n\r\n', 421],
    [`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ] as const) {
    const socket = connect(port, '127.0.0.1');
    socket.write(sent);
    const [head, body] = (await text(socket)).split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.[01] ${status} `));
    expect(head).toContain('application/problem+json');
    expect(problem.parse(JSON.parse(body!)).status).toBe(status);
  }
});

test('a connection without a request ends soon, also when its client keeps its side open', async () => {
  const idle = createConnection({ port: listeningPort(), host: '127.0.0.1', allowHalfOpen: true });
  const begunAt = performance.now();
  const count = promisify(api.app.server.getConnections.bind(api.app.server));
  await once(idle, 'connect');
  // Not read by iteration: that would close the client's side too.
  let answer = '';
  idle.setEncoding('utf8').on('data', (part: string) => (answer += part));
  await once(idle, 'end');
  expect(answer.split('\r\n', 1)[0]).toBe('HTTP/1.1 408 Request Timeout');
  expect(performance.now() - begunAt).toBeLessThan(15_000);
  await until('the server let go of it', async () => (await count()) === 0);
  idle.destroy();
});

test('more connections than there is room for are dropped, and then it goes on', async () => {
  const { server } = api.app;
  expect(server.maxConnections).toBe(512);
  const port = listeningPort();
  const open = Array.from({ length: 512 }, () => connect(port, '127.0.0.1'));
  await Promise.all(open.map(socket => once(socket, 'connect')));
  const excess = connect(port, '127.0.0.1');
  await once(
    excess.on('error', () => {}),
    'close',
  );
  expect(excess.bytesRead).toBe(0);
  for (const socket of open) socket.destroy();
  await until('it answers again', async () => {
    const response = await fetch(`http://127.0.0.1:${port}/livez`).catch(() => null);
    return response?.status === 200;
  });
});

test('streams outlive the patience with connections', async () => {
  const { server } = api.app;
  // Ended by what is silent alone, and a stream is not for so long.
  expect(server).toMatchObject({ headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 10_000 });
  expect(server.timeout).toBeGreaterThan(300_000);
  const controller = new AbortController();
  const response = await fetch(`http://127.0.0.1:${listeningPort()}/api/v1/mcps?watch=1`, {
    headers: { authorization: `Bearer ${api.adminToken}`, accept: 'text/event-stream' },
    signal: controller.signal,
  });
  expect(response.status).toBe(200);
  const reader = response.body!.getReader();
  const endsAt = performance.now() + 12_500;
  let bytes = 0;
  while (performance.now() < endsAt) {
    const chunk = await Promise.race([reader.read(), delay(endsAt - performance.now(), null)]);
    if (chunk === null) break;
    expect(chunk.done).toBe(false);
    bytes += chunk.value?.length ?? 0;
  }
  expect(bytes).toBeGreaterThan(0);
  controller.abort();
});

test('every answer carries its request id; a sensible one of the client is kept', async () => {
  for (const url of ['/livez', '/api/v1/mcps', '/api/v1/mcps/none', '/nothing']) {
    const response = await api.ask('GET', url, undefined, { 'x-request-id': 'mine-1.2_3' });
    expect(response.headers['x-request-id']).toBe('mine-1.2_3');
    if (response.statusCode >= 400) expect(response.json().requestId).toBe('mine-1.2_3');
  }
  for (const bad of ['a b', 'x'.repeat(65), 'a"b']) {
    const response = await api.ask('GET', '/livez', undefined, { 'x-request-id': bad });
    expect(response.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  }
});

test('/api is an alias of /api/v1', async () => {
  await api.ask('PUT', '/api/mcps/aliased', { spec: { type: 'stdio', config: { command: ['cat'] } } });
  expect((await api.ask('GET', '/api/mcps/aliased?')).json()).toEqual(
    (await api.ask('GET', '/api/v1/mcps/aliased')).json(),
  );
  expect((await api.ask('GET', '/api/mcps?q=aliased')).json().items).toHaveLength(1);
});

test('health needs no token and tells nothing', async () => {
  for (const url of ['/livez', '/readyz']) {
    const response = await api.app.inject({ url });
    expect([response.statusCode, response.json()]).toEqual([200, { ok: true }]);
  }
});

test('the page at / needs no token, takes nothing from elsewhere and says where things are', async () => {
  const response = await api.app.inject({ url: '/', headers: { host: 'localhost:5000' } });
  expect(response.statusCode).toBe(200);
  expect(response.headers['content-type']).toBe('text/html; charset=utf-8');
  const policy = response.headers['content-security-policy'] as string;
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toContain('unsafe');
  expect(response.body).toContain('http://localhost:5000/api/v1/mcps');
  expect(response.body).toContain('/api/v1/openapi.json');
  expect(response.body).toContain('<code>admin.token</code> in the data directory');
  // Whoever has no token learns neither paths nor the version.
  expect(response.body).not.toContain(api.config.dataDir);
  expect(response.body).not.toContain('0.0.0-test');
  expect(response.body).not.toContain(api.adminToken);
  expect(response.body).not.toMatch(/<script|(?:src|href)="(?!data:)|@import|url\(/);
});

test('every answer is private to its reader', async () => {
  for (const url of ['/', '/livez', '/api/v1/mcps', '/nothing']) {
    expect((await api.ask('GET', url)).headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    });
  }
});

test('one info line for a write, none for a read', async () => {
  const infos = (): string[] => api.logged.filter(line => JSON.parse(line).level >= 30);
  const before = infos().length;
  await api.ask('GET', '/api/v1/mcps');
  expect(infos()).toHaveLength(before);
  await api.ask('PUT', '/api/v1/mcps/logged?dryRun=1', { spec: { type: 'stdio', config: { command: ['cat'] } } });
  const lines = infos()
    .slice(before)
    .map(line => JSON.parse(line));
  expect(lines).toMatchObject([
    { msg: 'PUT /api/v1/mcps/logged', status: 201, caller: 'admin@test-node', requestId: expect.any(String) },
  ]);
});

test('should anything ever log headers or values, they are blanked', () => {
  const secret = 'S3CR3T';
  api.app.log.info(
    { authorization: secret, headers: { authorization: secret }, req: { headers: { authorization: secret } } },
    'x',
  );
  api.app.log.info({ values: { token: secret }, body: { values: { token: secret } }, request: { body: secret } }, 'x');
  expect(api.logged.slice(-2).join('')).toContain('[Redacted]');
  expect(api.logged.join('')).not.toContain(secret);
});
