import { Agent, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { post } from '../support/clients.ts';
import { startHost } from '../support/host.ts';
import type { TestHost } from '../support/host.ts';

const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };

let host: TestHost;
let other: TestHost;
beforeAll(async () => {
  [host, other] = await Promise.all([startHost(), startHost()]);
});
afterAll(() => Promise.all([host.dispose(), other.dispose()]));

/** fetch does not let a test choose Host; this does. Resolves with the status. */
function send(path: string, headers: Record<string, string>, method = 'POST'): Promise<number> {
  return exchange(path, headers, method).then(({ statusCode }) => statusCode!);
}

function exchange(
  path: string,
  headers: Record<string, string>,
  method = 'POST',
  { agent, port = host.port }: { agent?: Agent; port?: number } = {},
): Promise<IncomingMessage> {
  const body = JSON.stringify(ping);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method,
        ...(agent && { agent }),
        headers: {
          authorization: `Bearer ${host.token}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'content-length': body.length,
          ...headers,
        },
      },
      response => {
        response.resume();
        response.once('end', () => resolve(response));
      },
    );
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}

describe('the token', () => {
  test('opens the instance it belongs to', async () => {
    expect((await post(host, ping)).status).toBe(200);
  });

  test.each([
    ['none', {}],
    ['a wrong one', { authorization: 'Bearer wrong' }],
    ['another scheme', { authorization: 'Basic dG9rZW46dG9rZW4=' }],
    ['an empty one', { authorization: 'Bearer ' }],
  ])('%s is refused with a plain challenge', async (_what, headers: Record<string, string>) => {
    const response = await fetch(host.url, { method: 'POST', headers, body: JSON.stringify(ping) });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
  });

  test("another instance's, and the control token, are refused", async () => {
    expect((await post({ url: host.url, token: other.token }, ping)).status).toBe(401);
    expect((await post({ url: host.url, token: host.controlToken }, ping)).status).toBe(401);
  });

  test('counts only in the header', async () => {
    const url = `${host.url}?token=${host.token}&access_token=${host.token}`;
    expect((await post({ url, token: 'wrong' }, ping)).status).toBe(401);
  });

  test('is checked before the body is read', async () => {
    const response = await post({ url: host.url, token: 'wrong' }, '{'.repeat(2_000_000));
    expect(response.status).toBe(401);
  });
});

describe('Host and Origin', () => {
  test('every loopback name with the right port is served', async () => {
    for (const name of ['127.0.0.1', 'localhost', '[::1]', 'LOCALHOST']) {
      expect(await send('/mcp', { host: `${name}:${host.port}` }), name).toBe(200);
    }
  });

  test('a rebound name, another port and no port are refused', async () => {
    for (const name of [`evil.test:${host.port}`, '127.0.0.1:80', '127.0.0.1', `127.0.0.1.evil.test:${host.port}`]) {
      expect(await send('/mcp', { host: name }), name).toBe(403);
      expect(await send('/healthz', { host: name }, 'GET'), name).toBe(403);
    }
  });

  test('pages of this machine are served, others refused, whatever the path', async () => {
    for (const origin of ['http://localhost:6274', 'https://127.0.0.1', 'http://[::1]:3000']) {
      expect(await send('/mcp', { origin }), origin).toBe(200);
    }
    for (const origin of [
      'https://evil.test',
      'null',
      'http://localhost.evil.test',
      'file://',
      'http://127.0.0.1@evil.test',
    ]) {
      expect(await send('/mcp', { origin }), origin).toBe(403);
      expect(await send('/healthz', { origin }, 'GET'), origin).toBe(403);
    }
  });
});

describe('paths', () => {
  test.each([
    '/.well-known/oauth-protected-resource',
    '/.well-known/oauth-protected-resource/mcp',
    '/.well-known/oauth-authorization-server',
    '/.well-known/openid-configuration',
    '/register',
    '/',
    '/mcp/',
    '/MCP',
    '/sse',
    '//mcp',
    '/control',
  ])('%s does not exist, with a token or without', async path => {
    expect((await fetch(host.origin + path)).status).toBe(404);
    expect((await fetch(host.origin + path, { method: 'POST' })).status).toBe(404);
    expect((await fetch(host.origin + path, { headers: { authorization: `Bearer ${host.token}` } })).status).toBe(404);
  });

  test('GET and DELETE on /mcp are not offered', async () => {
    const headers = { authorization: `Bearer ${host.token}`, accept: 'text/event-stream' };
    for (const method of ['GET', 'DELETE']) {
      const response = await fetch(host.url, { method, headers });
      expect(response.status, method).toBe(405);
      expect(response.headers.get('allow')).toBe('POST');
    }
  });

  test('control needs the control token and its own method', async () => {
    for (const [method, path] of [
      ['PUT', '/control/lease'],
      ['POST', '/control/drain'],
    ] as const) {
      expect((await fetch(host.origin + path, { method })).status, path).toBe(401);
      const asClient = { authorization: `Bearer ${host.token}` };
      expect((await fetch(host.origin + path, { method, headers: asClient })).status, path).toBe(401);
      const asController = { authorization: `Bearer ${host.controlToken}` };
      expect((await fetch(host.origin + path, { headers: asController })).status, path).toBe(405);
    }
    expect((await host.health()).ok).toBe(true);
  });
});

describe('bodies', () => {
  test.each([
    ['null', 400],
    ['[]', 400],
    ['"text"', 400],
    ['{', 400],
    ['', 400],
    ['[null, 1, {"jsonrpc":"2.0"}]', 400],
  ])('%s is answered with %i', async (body, status) => {
    expect((await post(host, body)).status).toBe(status);
  });

  test('another media type is refused', async () => {
    expect((await post(host, ping, { 'content-type': 'text/plain' })).status).toBe(415);
  });

  test('over 4 MiB is refused, announced or not, and the answer arrives', async () => {
    const large = JSON.stringify({ ...ping, params: { x: 'x'.repeat(5_000_000) } });
    expect((await post(host, large)).status).toBe(413);
    const stream = new Blob([large]).stream();
    const response = await fetch(host.url, {
      method: 'POST',
      headers: { authorization: `Bearer ${host.token}`, 'content-type': 'application/json' },
      body: stream,
      duplex: 'half',
    });
    expect(response.status).toBe(413);
  });

  test('a client that goes away within its body leaves nothing in flight', async () => {
    const socket = connect(host.port, '127.0.0.1');
    const head = `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:${host.port}\r\nAuthorization: Bearer ${host.token}\r\n`;
    socket.write(`${head}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"jsonrpc"`);
    socket.destroy();
    expect(await host.health()).toMatchObject({ ok: true, inFlight: 0 });
  });
});

describe('a connection', () => {
  test('that has shown no token is closed after its answer', async () => {
    for (const [method, path, headers, status] of [
      ['POST', '/mcp', { authorization: 'Bearer wrong' }, 401],
      ['POST', '/mcp', { host: 'evil.test' }, 403],
      ['GET', '/sse', {}, 404],
      ['GET', '/healthz', { authorization: '' }, 200],
      ['POST', '/healthz', { authorization: '' }, 405],
      ['PUT', '/control/lease', { authorization: '' }, 401],
    ] as const) {
      const agent = new Agent({ keepAlive: true });
      const response = await exchange(path, headers, method, { agent });
      expect(response.statusCode, path).toBe(status);
      expect(response.headers.connection, path).toBe('close');
      agent.destroy();
    }
  });

  test('that has shown one is kept, whatever it asks next', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const first = await exchange('/mcp', {}, 'POST', { agent });
    for (const path of ['/sse', '/healthz', '/mcp']) {
      const next = await exchange(path, {}, 'POST', { agent });
      expect(next.headers.connection, path).toBe('keep-alive');
      expect(next.socket).toBe(first.socket);
    }
    agent.destroy();
  });

  test('finds room among any number of silent ones, and a proven one stays', async () => {
    await using crowded = await startHost();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const headers = { host: `127.0.0.1:${crowded.port}`, authorization: `Bearer ${crowded.token}` };
    const ask = () => exchange('/mcp', headers, 'POST', { agent, port: crowded.port });
    const first = await ask();
    const silent: Socket[] = [];
    let dropped = 0;
    while (silent.length < 1400) {
      const batch = Array.from({ length: 100 }, () => connect(crowded.port, '127.0.0.1'));
      silent.push(...batch);
      await Promise.all(
        batch.map(socket => {
          socket.on('error', () => {}).once('close', () => (dropped += 1));
          return new Promise(resolve => socket.once('connect', resolve).once('close', resolve));
        }),
      );
    }
    const headersOfProbe = { authorization: `Bearer ${crowded.controlToken}` };
    const probe = await fetch(`${crowded.origin}/healthz`, { headers: headersOfProbe });
    expect(await probe.json()).toMatchObject({ ok: true });
    expect((await ask()).socket).toBe(first.socket);
    expect(dropped).toBeGreaterThan(300);
    expect(dropped).toBeLessThan(1000);
    for (const socket of silent) socket.destroy();
    agent.destroy();
  });
});

test('every call is one line, refusals are a few, and none has a token', () => {
  const lines = host.logLines().filter(line => line['msg'] === 'mcp call');
  const denied = lines.filter(line => line['outcome'] === 'denied');
  expect(denied).toContainEqual(expect.objectContaining({ method: null, status: 401, count: 1 }));
  expect(denied).toContainEqual(expect.objectContaining({ method: null, status: 403, count: 1 }));
  expect(denied.length).toBeLessThan(10);
  expect(lines).toContainEqual(
    expect.objectContaining({ method: 'ping', tool: null, outcome: 'ok', ms: expect.any(Number) }),
  );
  for (const token of [host.token, host.controlToken, other.token]) expect(host.output()).not.toContain(token);
});
