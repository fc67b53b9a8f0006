import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { callTool, connectModern, post, readAnswer } from '../support/clients.ts';
import { fixture } from '../support/fixture.ts';
import { findMarked, sha256 } from '../support/host.ts';
import { countChildren, countReads } from '../support/process.ts';
import { initialize, openSession, startSessionHost } from '../support/session-client.ts';
import { until } from '../support/until.ts';

/** What sessions take of one another and of the host; many of these wait, so they do it side by side. */

const moody = { command: fixture('moody') };
const stubborn = { command: fixture('ignores-sigterm') };

/** `initialize` of a client to which the moody server does as its name says. */
function greet(name: string) {
  const { params, ...request } = initialize(name);
  return { ...request, params: { ...params, clientInfo: { name, version: '1' } } };
}

describe.concurrent('a session', () => {
  test('stays while its client listens, though nothing moves for longer than it may elsewhere', async () => {
    await using host = await startSessionHost({ idleMs: 1000 });
    const listening = await openSession(host);
    const stream = await listening.listen();
    const silent = await openSession(host);
    const pid = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'pid', arguments: {} } };
    await until('the one that came later is over', () => countChildren(host.process.pid!) === 2);
    expect((await silent.post(pid)).status).toBe(404);
    expect(await listening.call(1, 'count')).toBe('1');
    stream.close();
  });

  test('that was just used makes no room for another', async () => {
    await using host = await startSessionHost({ most: 2, restMs: 1500 });
    const used = await Promise.all([openSession(host), openSession(host)]);
    for (const session of used) expect(await session.call(1, 'count')).toBe('1');
    expect((await post(host, initialize())).status).toBe(503);
    for (const session of used) expect(await session.call(2, 'count')).toBe('2');
    await until('one of them has rested', async () => (await post(host, initialize())).status === 200);
  });

  test('is not ended by the cancellation of a client without one', async () => {
    await using host = await startSessionHost();
    const session = await openSession(host);
    const slow = await session.ask(5, 'tools/call', { name: 'sleep', arguments: { ms: 500 } });
    const client = await connectModern(host);
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 5, _meta: meta } };
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': cancel.method };
    await (await post(host, cancel, headers)).text();
    await slow.ended;
    expect(slow.messages()).toMatchObject([{ id: 5, result: { content: [{ text: 'slept' }] } }]);
    await client.close();
  });

  test('outlives a server that refuses the next one as if it knew none', async () => {
    await using host = await startSessionHost({}, moody);
    // Before any session as well: the child for all has answered in a revision with sessions.
    for (const round of ['before', 'after']) {
      const refused = await readAnswer(await post(host, greet('refuses')));
      expect(refused, round).toMatchObject({ error: { code: -32022 } });
      const session = await openSession(host);
      expect(Number(await session.call(1, 'pid')), round).toBeGreaterThan(0);
    }
  });
});

describe.concurrent('a token that is not valid any more', () => {
  test('lets a call finish that is nearly done, and holds no session for longer', async () => {
    await using host = await startSessionHost({ most: 1, restMs: 0 });
    const session = await openSession(host);
    const short = await session.ask(1, 'tools/call', { name: 'sleep', arguments: { ms: 500 } });
    const long = await session.ask(2, 'tools/call', { name: 'hang', arguments: {} });
    expect((await host.lease({ tokenHash: sha256('rotated') })).status).toBe(200);
    await short.ended;
    expect(short.messages()).toMatchObject([{ id: 1, result: {} }]);
    const target = { url: host.url, token: 'rotated' };
    expect((await post(target, initialize())).status).toBe(503);
    await long.ended;
    expect(long.messages()).toMatchObject([{ id: 2, error: { message: expect.stringContaining('token') } }]);
    expect((await post(target, initialize())).status).toBe(200);
  });
});

describe.concurrent('a client that is not answered when it initializes', () => {
  test('takes its child along when it gives up', async () => {
    await using host = await startSessionHost({ most: 1 }, moody);
    const abort = new AbortController();
    const headers = {
      authorization: `Bearer ${host.token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    };
    const init = { method: 'POST', headers, body: JSON.stringify(greet('waits')), signal: abort.signal };
    const waiting = fetch(host.url, init).catch(() => null);
    await until('its child is there', () => countChildren(host.process.pid!) === 2);
    abort.abort();
    await waiting;
    await until('its child is gone', () => countChildren(host.process.pid!) === 1);
    const next = await openSession(host);
    expect((await next.end()).status).toBe(204);
  });

  test('is told when the host ends, and does not hold it', async () => {
    await using host = await startSessionHost({}, moody);
    await until('it is up', async () => (await host.health()).ok);
    const waiting = post(host, greet('waits')).then(readAnswer);
    await until('its child is there', () => countChildren(host.process.pid!) === 2);
    expect((await host.lease({ remainingMs: 50 })).status).toBe(200);
    expect(await waiting).toMatchObject({ error: { message: 'The instance is being stopped.' } });
    expect(await host.exited).toEqual({ code: 0, signal: null });
    expect(findMarked(host.assignment.attempt)).toEqual([]);
  });
});

describe.concurrent('children', () => {
  test('that are slow to leave take room until they are gone', async () => {
    await using host = await startSessionHost({ most: 2, restMs: 0, graceMs: 200 }, stubborn);
    await until('it is up', async () => (await host.health()).ok);
    let most = 0;
    const counting = setInterval(() => {
      most = Math.max(most, findMarked(host.assignment.attempt).length);
    }, 10);
    for (let opened = 0; opened < 6; opened++) await openSession(host);
    clearInterval(counting);
    // The host, the child for all, and two more.
    expect(most).toBe(4);
  });

  test('that die at initialize are not started over and over, until one has lived', async () => {
    await using host = await startSessionHost({}, moody);
    const start = async (name: string) => {
      const response = await post(host, greet(name));
      return {
        status: response.status,
        pauseS: response.headers.get('retry-after'),
        answer: await readAnswer(response),
      };
    };
    for (let started = 0; started < 3; started++) {
      const message = expect.stringContaining('exited with code 9');
      expect(await start('dies')).toMatchObject({ status: 200, answer: { error: { message } } });
    }
    const message = expect.stringContaining('Try again in 1 s');
    expect(await start('well')).toMatchObject({ status: 503, pauseS: '1', answer: { error: { message } } });
    await until('the pause is over', async () => (await start('dies')).status === 200);
    expect(await start('well')).toMatchObject({ status: 503, pauseS: '2' });
    await until('the pause is over', async () => (await start('well')).status === 200);
    // While a session lives it is not the server: whoever begins in a way it dies of keeps nobody else out.
    for (let started = 0; started < 5; started++) expect((await start('dies')).status).toBe(200);
    expect(await start('well')).toMatchObject({ status: 200, answer: { result: {} } });
    expect(await callTool(await connectModern(host), 'pid')).toMatchObject({ isError: false });
  });
});

test('the end of many sessions takes a few looks at all processes, not some for each', async () => {
  await using host = await startSessionHost({ graceMs: 300 }, stubborn);
  await until('it is up', async () => (await host.health()).ok);
  const sessions = await Promise.all(Array.from({ length: 16 }, () => openSession(host)));
  const processes = readdirSync('/proc').filter(name => /^\d+$/.test(name)).length;
  const before = countReads(host.process.pid!);
  await Promise.all(sessions.map(session => session.end()));
  await until('all are gone', () => countChildren(host.process.pid!) === 1);
  // A look reads two files of each process.
  const looks = (countReads(host.process.pid!) - before) / processes / 2;
  expect(looks).toBeLessThan(16);
});
