import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { createLog } from '../../mcp-servers/host/log.ts';
import type { Log } from '../../mcp-servers/host/log.ts';
import { serveSession } from '../../mcp-servers/stdio/session-endpoint.ts';
import type { Sessions } from '../../mcp-servers/stdio/sessions.ts';
import { post, readAnswer } from '../support/clients.ts';
import { countChildren } from '../support/process.ts';
import { initialize, openSession, startSessionHost } from '../support/session-client.ts';
import { until } from '../support/until.ts';

/** Leaves a process this many descriptors more than it has; null = as many as it may have. */
function leaveDescriptors(pid: number, free: number | null): void {
  const used = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  let limit = 0;
  for (let found = 0; found < (free ?? 0) || used.has(limit); limit++) if (!used.has(limit)) found++;
  execFileSync('prlimit', [`--pid=${pid}`, `--nofile=${free === null ? '1024' : limit}:`]);
}

test('out of descriptors a new session is refused, and those that are there go on', async () => {
  await using host = await startSessionHost();
  await until('it is up', async () => (await host.health()).ok);
  const session = await openSession(host);
  expect(await session.call(1, 'count')).toBe('1');
  for (const free of [1, 2, 3, 4]) {
    leaveDescriptors(host.process.pid!, free);
    const refused = await post(host, initialize('more'));
    expect([refused.status, Number(refused.headers.get('retry-after')) > 0]).toEqual([503, true]);
    const message = expect.stringMatching(/No file descriptors are left .* Try again/);
    expect(await readAnswer(refused)).toMatchObject({ id: 'more', error: { code: -32000, message } });
  }
  leaveDescriptors(host.process.pid!, null);
  expect(await session.call(2, 'count')).toBe('2');
  const next = await openSession(host);
  expect(await next.call(1, 'count')).toBe('1');
  await Promise.all([session.end(), next.end()]);
  await until('no child is left', () => countChildren(host.process.pid!) === 1);
});

test('a fault of this side is for the log, not for the client', async () => {
  const logged: object[] = [];
  const log: Log = { ...createLog('silent'), error: fields => logged.push(fields) };
  const find = (): never => {
    throw new TypeError('cannot read properties of undefined');
  };
  const sessions = { impossible: false, find } as unknown as Sessions;
  const body = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
  const { signal } = new AbortController();
  const server = createServer((request, response) => {
    void serveSession(sessions, { request, response, body, signal, answered: () => {} }, log);
  });
  await new Promise<void>(done => {
    server.listen(0, '127.0.0.1', done);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const answer = await post({ url, token: '' }, body, { 'mcp-session-id': 'x', connection: 'close' });
  expect(await answer.json()).toEqual({ jsonrpc: '2.0', id: 1, error: { code: -32603, message: 'Internal error' } });
  expect(logged).toMatchObject([{ err: { type: 'TypeError', message: 'cannot read properties of undefined' } }]);
  server.close();
});
