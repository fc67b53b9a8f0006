import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { post } from '../support/clients.ts';
import { assign, disposeHost, listen, spawnHost, startHost } from '../support/host.ts';
import { until } from '../support/until.ts';

const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };

function pingOver(port: number, token: string): Promise<string> {
  const body = JSON.stringify(ping);
  const socket = connect(port, '127.0.0.1');
  socket.write(
    `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n` +
      `Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  return text(socket);
}

describe('a client that connects before the host is there', () => {
  test('is answered, whether the controllers accepted it or it waited in the backlog', async () => {
    const listener = await listen();
    const { port } = listener.server.address() as AddressInfo;
    // The token's hash is all the host gets, so it can be chosen by the client who is too early.
    const token = 'early-token';
    const early = Array.from({ length: 10 }, () => pingOver(port, token));
    const standby = spawnHost();
    const { createHash } = await import('node:crypto');
    const tokenHash = createHash('sha256').update(token).digest('hex');
    await using host = await assign(standby, listener, { tokenHash });
    const late = await pingOver(port, token);
    for (const answer of [...(await Promise.all(early)), late]) expect(answer).toContain('"result":{}');
    expect((await host.health()).requests).toBe(11);
  });
});

describe('a host', () => {
  test('waits for its assignment however long, and serves at once then', async () => {
    const standby = spawnHost();
    const waitedUntil = performance.now() + 1500;
    await until('it has waited', () => performance.now() > waitedUntil);
    expect(standby.process.exitCode).toBeNull();
    const startedAt = performance.now();
    await using host = await assign(standby, await listen());
    expect((await post(host, ping)).status).toBe(200);
    expect(performance.now() - startedAt).toBeLessThan(500);
  });

  test('closes the channel and lives on without it', async () => {
    await using host = await startHost();
    await until('the channel is closed', () => !host.process.connected);
    expect((await post(host, ping)).status).toBe(200);
  });

  test('whose channel closes before an assignment ends as unassigned', async () => {
    const standby = spawnHost();
    standby.process.disconnect();
    expect(await standby.exited).toEqual({ code: 75, signal: null });
    expect(existsSync(join(standby.directory, 'identity.json'))).toBe(false);
    await disposeHost(standby);
  });

  test.each([
    ['for another attempt', { attempt: '01990000-0000-7000-8000-000000000000' }, /is for attempt/],
    ['that cannot be read', { tokenHash: 'short' }, /tokenHash/],
  ])('refuses an assignment %s', async (_what, overrides, message) => {
    const standby = spawnHost();
    await expect(assign(standby, await listen(), overrides)).rejects.toThrow(message);
    expect(await standby.exited).toEqual({ code: 71, signal: null });
    await disposeHost(standby);
  });

  test('refuses to live where it cannot say who it is', async () => {
    const standby = spawnHost();
    const nowhere = join(standby.directory, 'missing');
    await expect(assign(standby, await listen(), { runDirectory: nowhere })).rejects.toThrow(/exited with 71/);
    await disposeHost(standby);
  });

  test('of a type it has no server for is misconfigured', async () => {
    await using host = await startHost({ type: 'constructor' });
    expect(await host.exited).toEqual({ code: 78, signal: null });
    expect(host.exit()).toMatchObject({ reason: 'misconfigured', message: expect.stringContaining('"constructor"') });
  });

  test('listens on the very socket it was given', async () => {
    await using host = await startHost();
    const squatter = createServer();
    const error = await new Promise<NodeJS.ErrnoException>(resolve => {
      squatter.once('error', resolve).listen(host.port, '127.0.0.1');
    });
    expect(error.code).toBe('EADDRINUSE');
  });
});

describe('/healthz', () => {
  test('tells strangers one thing only', async () => {
    await using host = await startHost();
    for (const authorization of [undefined, 'Bearer wrong', `Bearer ${host.token}`]) {
      const headers = authorization === undefined ? {} : { authorization };
      const response = await fetch(`${host.origin}/healthz`, { headers });
      expect(response.status).toBe(200);
      expect(await response.text()).toBe('{"ok":true}');
    }
  });

  test('proves who it is to the controllers', async () => {
    await using host = await startHost();
    const { toolsHash, ...health } = await host.health();
    expect(toolsHash === null || /^[0-9a-f]{64}$/.test(toolsHash)).toBe(true);
    expect(health).toEqual({
      ok: true,
      message: '',
      instance: host.assignment.instance.uid,
      attempt: host.assignment.attempt,
      expiresAt: null,
      tokenHash: host.assignment.tokenHash,
      requests: 0,
      inFlight: 0,
      lastAccessedMsAgo: null,
    });
  });
});
