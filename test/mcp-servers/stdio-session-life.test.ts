import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callTool, connectModern, post, readAnswer } from '../support/clients.ts';
import { fixture } from '../support/fixture.ts';
import { findMarked, sha256 } from '../support/host.ts';
import type { TestHost } from '../support/host.ts';
import { countChildren, countWritten, memoryMiB } from '../support/process.ts';
import { initialize, isAlive, openSession, read, startSessionHost } from '../support/session-client.ts';
import { until } from '../support/until.ts';

const call = (name: string, args: object = {}) => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name, arguments: args },
});

describe('a session whose child ends', () => {
  let host: TestHost;
  beforeAll(async () => {
    host = await startSessionHost();
  });
  afterAll(() => host.dispose());

  test('answers every request that waits, ends its streams, is 404 then, and leaves the others alone', async () => {
    const [dying, other] = await Promise.all([openSession(host), openSession(host)]);
    const listening = await dying.listen();
    const waiting = await Promise.all(
      ['constructor', 2, 3].map(id => dying.ask(id, 'tools/call', { name: 'hang', arguments: {} })),
    );
    const crashing = await dying.ask(4, 'tools/call', { name: 'crash', arguments: { code: 5 } });
    for (const reading of [...waiting, crashing]) {
      await reading.ended;
      const message = expect.stringMatching(/"node asks.mjs" exited with code 5.*Initialize again/);
      expect(reading.messages()).toMatchObject([{ error: { code: -32603, message } }]);
    }
    await listening.ended;
    expect((await dying.post(call('pid'))).status).toBe(404);
    expect(await other.call(1, 'echo', { text: 'lives on' })).toBe('lives on');
    const again = await openSession(host);
    expect(await again.call(1, 'count')).toBe('1');
    expect((await host.health()).ok).toBe(true);
  });

  test('by a signal from outside is no different', async () => {
    const session = await openSession(host);
    const pid = Number(await session.call(1, 'pid'));
    const hanging = await session.ask(2, 'tools/call', { name: 'hang', arguments: {} });
    process.kill(pid, 'SIGKILL');
    await hanging.ended;
    expect(hanging.messages()[0].error.message).toContain('was ended by SIGKILL');
  });

  test('takes its descendants along', async () => {
    await using forking = await startSessionHost({}, { command: fixture('forks-setsid') });
    await until('it is up', async () => (await forking.health()).ok);
    const marked = () => findMarked(forking.assignment.attempt).length;
    const before = marked();
    const session = await openSession(forking);
    await until('they are there', () => marked() > before + 1);
    await session.end();
    await until('they are gone', () => marked() === before);
  });

  test('before it has answered says so', async () => {
    // The one child for the probe is another program: what is tested would take the host along.
    const directory = mkdtempSync(join(tmpdir(), 'minimcp-'));
    const command = fixture('once', join(directory, 'started'), ...fixture('asks').slice(1));
    await using fickle = await startSessionHost({ handshakeMs: 1500 }, { command });
    await until('it is up', async () => (await fickle.health()).ok);
    for (const [way, words] of [
      ['exit', /exited with code 12\. Its last words: no second one/],
      ['hang', /has not answered initialize for 1\.5 s/],
      ['close', /has closed its output/],
    ] as const) {
      const response = await post(fickle, initialize(way));
      expect(response.headers.get('mcp-session-id')).toBeNull();
      expect(await readAnswer(response)).toMatchObject({ id: way, error: { message: expect.stringMatching(words) } });
    }
    expect((await fickle.health()).ok).toBe(true);
    rmSync(directory, { recursive: true });
  });
});

describe('a session that nobody uses', () => {
  let host: TestHost;
  beforeAll(async () => {
    host = await startSessionHost({ idleMs: 500, silentMs: 2500, most: 4 });
    await until('it is up', async () => (await host.health()).ok);
  });
  afterAll(() => host.dispose());

  test('is ended after its time, also while its client listens', async () => {
    const [silent, listening] = await Promise.all([openSession(host), openSession(host)]);
    const stream = await listening.listen();
    const pids = [Number(await silent.call(1, 'pid')), Number(await listening.call(1, 'pid'))];
    await stream.ended;
    await until('both are gone', () => !pids.some(isAlive));
    for (const session of [silent, listening]) expect((await session.post(call('pid'))).status).toBe(404);
  });

  test('stays as long as its client waits for an answer', async () => {
    const session = await openSession(host);
    expect(await session.call(1, 'sleep', { ms: 1500 })).toBe('slept');
    expect(await session.call(2, 'echo', { text: 'still there' })).toBe('still there');
  });

  test('but not for ever', async () => {
    const session = await openSession(host);
    const hanging = await session.ask(1, 'tools/call', { name: 'hang', arguments: {} });
    await hanging.ended;
    expect(hanging.messages()[0].error.message).toContain('idle for too long');
  });

  test('leaves no child behind, twenty of them neither', async () => {
    await using crowded = await startSessionHost({ idleMs: 4000, most: 20 });
    await until('it is up', async () => (await crowded.health()).ok);
    await Promise.all(Array.from({ length: 20 }, () => openSession(crowded)));
    expect(countChildren(crowded.process.pid!)).toBe(21);
    await until('the children are gone', () => countChildren(crowded.process.pid!) === 1);
    expect(findMarked(crowded.assignment.attempt)).toHaveLength(2);
  });
});

describe('where all sessions are taken', () => {
  let host: TestHost;
  beforeAll(async () => {
    host = await startSessionHost({ most: 2, restMs: 0, yieldMs: 1500 });
  });
  afterAll(() => host.dispose());

  test('the one that was quiet longest makes room', async () => {
    const oldest = await openSession(host);
    const second = await openSession(host);
    await second.call(1, 'pid');
    await oldest.call(1, 'pid');
    const third = await openSession(host);
    expect((await second.post(call('pid'))).status).toBe(404);
    expect(await oldest.call(2, 'count')).toBe('1');
    expect(await third.call(1, 'count')).toBe('1');
  });

  test('by clients that wait or listen, the next is told what to do, until one has listened for a while', async () => {
    const [busy, listening] = await Promise.all([openSession(host), openSession(host)]);
    const slow = await busy.ask(1, 'tools/call', { name: 'hang', arguments: {} });
    const stream = await listening.listen();
    const refused = await post(host, initialize('more'));
    expect([refused.status, Number(refused.headers.get('retry-after')) > 0]).toEqual([503, true]);
    const message = expect.stringMatching(/All 2 sessions .*DELETE .*try again .*isolation/);
    expect(await readAnswer(refused)).toMatchObject({ id: 'more', error: { code: -32000, message } });
    await until('there is room', async () => (await post(host, initialize())).status === 200);
    await stream.ended;
    expect((await listening.post(call('pid'))).status).toBe(404);
    expect(await busy.call(2, 'echo', { text: 'undisturbed' })).toBe('undisturbed');
    slow.close();
  });
});

test('a rotated token ends the streams of the old one, and the session goes on under the new one', async () => {
  await using host = await startSessionHost();
  const session = await openSession(host);
  expect(await session.call(1, 'count')).toBe('1');
  const listening = await session.listen();
  expect((await host.lease({ tokenHash: sha256('rotated') })).status).toBe(200);
  await listening.ended;
  expect((await session.post(call('count'))).status).toBe(401);
  const target = { url: host.url, token: 'rotated' };
  const answer = read(await post(target, call('count'), session.headers));
  expect(await answer.next('the answer', message => message.id === 1)).toMatchObject({
    result: { content: [{ text: '2' }] },
  });
});

describe('the end of the host', () => {
  test.concurrent('drained lets a call finish, and ends every child', async () => {
    await using host = await startSessionHost();
    const sessions = await Promise.all([openSession(host), openSession(host), openSession(host)]);
    const listening = await sessions[1].listen();
    const slow = await sessions[0].ask(1, 'tools/call', { name: 'sleep', arguments: { ms: 500 } });
    host.process.kill('SIGTERM');
    await listening.ended;
    await slow.ended;
    expect(slow.messages()).toMatchObject([{ id: 1, result: {} }]);
    expect(await host.exited).toEqual({ code: 0, signal: null });
    expect(findMarked(host.assignment.attempt)).toEqual([]);
  });

  test.concurrent('at the end of the lease comes within a second, whatever hangs', async () => {
    await using host = await startSessionHost();
    const session = await openSession(host);
    const hanging = await session.ask(1, 'tools/call', { name: 'hang', arguments: {} });
    await session.listen();
    const startedMs = performance.now();
    expect((await host.lease({ remainingMs: 100 })).status).toBe(200);
    expect(await host.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedMs).toBeLessThan(1500);
    await hanging.ended;
    expect(hanging.messages()).toMatchObject([{ id: 1, error: { message: expect.stringContaining('being stopped') } }]);
    expect(findMarked(host.assignment.attempt)).toEqual([]);
  });

  test.concurrent('when the child for all ends takes the sessions along', async () => {
    await using host = await startSessionHost();
    const session = await openSession(host);
    const client = await connectModern(host);
    const waiting = await session.ask(1, 'tools/call', { name: 'hang', arguments: {} });
    await callTool(client, 'crash', { code: 3 }).catch(() => {});
    await waiting.ended;
    expect(waiting.messages()[0].error.message).toContain('being stopped');
    expect((await host.exited).code).toBe(70);
    expect(host.exit()).toMatchObject({ reason: 'child-exited', child: { code: 3 } });
    expect(findMarked(host.assignment.attempt)).toEqual([]);
    await client.close().catch(() => {});
  });
});

test('a program that cannot be started any more says so to its client, and to nobody else', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'minimcp-'));
  const program = join(directory, 'node');
  symlinkSync(process.execPath, program);
  await using host = await startSessionHost({}, { command: [program, ...fixture('asks').slice(1)] });
  await until('it is up', async () => (await host.health()).ok);
  const session = await openSession(host);
  rmSync(directory, { recursive: true });
  const answer = await readAnswer(await post(host, initialize('late')));
  expect(answer).toMatchObject({
    id: 'late',
    error: { code: -32603, message: expect.stringContaining('was not found') },
  });
  expect(await session.call(1, 'echo', { text: 'lives on' })).toBe('lives on');
  expect((await host.health()).ok).toBe(true);
});

describe('a child that writes without end', () => {
  test('costs no memory, whether its client reads or not, and the host serves others', async () => {
    await using host = await startSessionHost({}, { logLevel: 'warn' });
    await until('it is up', async () => (await host.health()).ok);
    const heldMiB = memoryMiB(host.process.pid!);
    const [unread, reading] = await Promise.all([openSession(host), openSession(host)]);
    // A stream that is open and never read: the buffers on the way fill, and then the child has to wait.
    const authorization = `Bearer ${host.token}`;
    const headers = { authorization, accept: 'text/event-stream', ...unread.headers };
    const deaf = await fetch(host.url, { headers });
    const flooding = Number(await unread.call(1, 'pid'));
    expect(await unread.call(2, 'flood')).toBe('flooding');
    let written = 0;
    await until('it has to wait', async () => {
      const before = written;
      await new Promise(resolve => setTimeout(resolve, 100));
      written = countWritten(flooding);
      return written > 1_000_000 && written === before;
    });
    const listening = await reading.listen();
    expect(await reading.call(1, 'flood')).toBe('flooding');
    await until('much has come', () => listening.events.length > 40_000);
    listening.close();
    const client = await connectModern(host);
    expect((await callTool(client, 'echo', { text: 'served' })).text).toBe('served');
    expect(memoryMiB(host.process.pid!) - heldMiB).toBeLessThan(120);
    expect((await reading.end()).status).toBe(204);
    expect((await unread.end()).status).toBe(204);
    await deaf.body?.cancel().catch(() => {});
    await client.close();
    await until('both are gone', () => countChildren(host.process.pid!) === 1);
  });
});
