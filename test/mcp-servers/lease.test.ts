import { describe, expect, test } from 'vitest';
import { connect } from 'node:net';
import { callTool, connectModern, post, subscribe } from '../support/clients.ts';
import { findMarked, monotonicMs, sha256, startHost } from '../support/host.ts';
import type { TestHost } from '../support/host.ts';
import { startFakeGithub } from '../support/github.ts';
import { until } from '../support/until.ts';
import { fixture } from '../support/fixture.ts';

const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };

/** Whether anything accepts connections there. */
function listens(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** When its lease ends, on performance.now(). */
function endOf({ assignment }: TestHost): number {
  return performance.now() + assignment.remainingMs! - (monotonicMs() - assignment.monotonicMs);
}

describe('at the end of the lease', () => {
  test('it exits by itself, within a second, and nothing listens or runs any more', async () => {
    await using host = await startHost({ command: fixture('forks-setsid'), leaseMs: 2500 });
    const endsAt = endOf(host);
    const client = await connectModern(host);
    const grandchild = Number((await callTool(client, 'grandchild')).text);
    expect(findMarked(host.assignment.attempt)).toContain(grandchild);
    const exit = await host.exited;
    const lateMs = performance.now() - endsAt;
    expect(exit).toEqual({ code: 0, signal: null });
    expect(lateMs).toBeGreaterThan(-100);
    expect(lateMs).toBeLessThan(1000);
    expect(host.exit()).toMatchObject({ reason: 'lease', code: 0 });
    expect(findMarked(host.assignment.attempt)).toEqual([]);
    expect(await listens(host.port)).toBe(false);
  });

  test('a child that ignores SIGTERM and a request in flight do not hold it', async () => {
    await using host = await startHost({ command: fixture('ignores-sigterm'), leaseMs: 3000 });
    await using slow = await startHost({ command: fixture('echo'), leaseMs: 2500 });
    const endsAt = Math.max(endOf(host), endOf(slow));
    await until('the children are up', async () => (await host.health()).ok && (await slow.health()).ok);
    const call = { ...ping, method: 'tools/call', params: { name: 'sleep', arguments: { ms: 60_000 } } };
    const calling = post(slow, call)
      .then(response => response.text())
      .catch(() => '');
    await Promise.all([host.exited, slow.exited]);
    expect(performance.now() - endsAt).toBeLessThan(1000);
    expect(await calling).not.toContain('slept');
    expect(findMarked(host.assignment.attempt)).toEqual([]);
    expect(findMarked(slow.assignment.attempt)).toEqual([]);
  });

  test('a request that is nearly done is still answered', async () => {
    await using host = await startHost({ command: fixture('echo'), leaseMs: 2500 });
    const endsAt = endOf(host);
    await until('the child is up', async () => (await host.health()).ok);
    const leftMs = endsAt - performance.now() + 50;
    const call = { ...ping, method: 'tools/call', params: { name: 'sleep', arguments: { ms: leftMs } } };
    const answer = await post(host, call).then(response => response.text());
    expect(answer).toContain('slept');
    expect(await host.exited).toEqual({ code: 0, signal: null });
  });

  test('open streams end and kept connections are of no use', async () => {
    await using host = await startHost({ command: fixture('echo'), leaseMs: 2500 });
    const stream = await subscribe(host);
    await stream.ended;
    await host.exited;
    await expect(post(host, ping)).rejects.toThrow();
  });

  test('a lease that was over before it began is never served', async () => {
    await using host = await startHost({ leaseMs: 0 });
    expect(await host.exited).toEqual({ code: 0, signal: null });
    expect(host.exit().reason).toBe('lease');
  });
});

describe('the time on the way to the host', () => {
  test('is part of the lease', async () => {
    await using host = await startHost({ leaseMs: 60_000, monotonicMs: monotonicMs() - 59_000 });
    const acceptedAt = performance.now();
    expect(await host.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - acceptedAt).toBeLessThan(2000);
    expect(host.exit().reason).toBe('lease');
  });

  test('never lengthens it, and is nothing to one without end', async () => {
    await using ahead = await startHost({ leaseMs: 300, monotonicMs: monotonicMs() + 3_600_000 });
    await using endless = await startHost({ leaseMs: null, monotonicMs: 0 });
    expect(await ahead.exited).toEqual({ code: 0, signal: null });
    expect((await endless.health()).ok).toBe(true);
  });

  test('counts in a renewal that says when', async () => {
    await using host = await startHost({ leaseMs: 60_000 });
    expect((await host.lease({ remainingMs: 60_000, monotonicMs: monotonicMs() - 59_900 })).status).toBe(200);
    expect(await host.exited).toEqual({ code: 0, signal: null });
    expect(host.exit().reason).toBe('lease');
  });
});

describe('a renewal', () => {
  test('extends, shortens and lifts the lease', async () => {
    await using host = await startHost({ leaseMs: 2000 });
    expect((await host.lease({ remainingMs: 3_000_000_000, expiresAt: '2027-01-01T00:00:00Z' })).status).toBe(200);
    expect(await host.health()).toMatchObject({ ok: true, expiresAt: '2027-01-01T00:00:00Z' });
    expect((await host.lease({})).status).toBe(200);
    const passed = endOf(host) + 100;
    await until('the first lease would be over', () => performance.now() > passed);
    expect(await host.health()).toMatchObject({ ok: true, expiresAt: null });
    expect((await host.lease({ remainingMs: 50 })).status).toBe(200);
    expect(await host.exited).toEqual({ code: 0, signal: null });
    expect(host.exit().reason).toBe('lease');
  });

  test('with another token ends the old one at once, and its streams', async () => {
    await using host = await startHost({ command: fixture('echo') });
    const stream = await subscribe(host);
    const token = 'the-next-token';
    expect((await host.lease({ tokenHash: sha256(token) })).status).toBe(200);
    await stream.ended;
    expect((await post(host, ping)).status).toBe(401);
    expect((await post({ url: host.url, token }, ping)).status).toBe(200);
    expect((await host.health()).tokenHash).toBe(sha256(token));
    const again = await subscribe({ url: host.url, token });
    expect((await host.lease({ tokenHash: sha256(token), remainingMs: 60_000 })).status).toBe(200);
    expect(await Promise.race([again.ended.then(() => 'ended'), host.health().then(() => 'open')])).toBe('open');
  });

  test('that makes no sense changes nothing', async () => {
    await using host = await startHost();
    for (const body of ['{', '{}', '{"tokenHash":"short","expiresAt":null,"remainingMs":null}', '[]']) {
      const headers = { authorization: `Bearer ${host.controlToken}` };
      expect((await fetch(`${host.origin}/control/lease`, { method: 'PUT', headers, body })).status, body).toBe(400);
    }
    expect((await post(host, ping)).status).toBe(200);
  });
});

test('the lease holds while GitHub is silent', async () => {
  await using github = await startFakeGithub();
  await using host = await startHost({ upstreamUrl: github.url, leaseMs: 1000 });
  await github.fail({ kind: 'slow', delayMs: 30_000 });
  const startedAt = performance.now();
  const call = { ...ping, method: 'tools/call', params: { name: 'get_me', arguments: {} } };
  await post(host, call)
    .then(response => response.text())
    .catch(() => '');
  await host.exited;
  expect(performance.now() - startedAt).toBeLessThan(2000);
});
