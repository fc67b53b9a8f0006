import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callTool, connectLegacy, connectModern, post, readAnswer } from '../support/clients.ts';
import { fixture } from '../support/fixture.ts';
import type { TestHost } from '../support/host.ts';
import { initialize, isAlive, openSession, read, startSessionHost } from '../support/session-client.ts';
import { until } from '../support/until.ts';

let host: TestHost;
beforeAll(async () => {
  host = await startSessionHost();
});
afterAll(() => host.dispose());

const request = (id: string | number, method: string, params: object = {}) => ({ jsonrpc: '2.0', id, method, params });
const tool = (id: string | number, name: string, args: object = {}) =>
  request(id, 'tools/call', { name, arguments: args });

describe('a session', () => {
  test('has a child of its own, and an id in visible ASCII that nobody can guess', async () => {
    const sessions = await Promise.all([openSession(host), openSession(host)]);
    const [one, two] = sessions;
    expect(new Set(await Promise.all(sessions.map(session => session.call(1, 'pid')))).size).toBe(2);
    expect(await one.call('a', 'count')).toBe('1');
    expect(await one.call('b', 'count')).toBe('2');
    expect(await two.call('a', 'count')).toBe('1');
    for (const { id } of sessions) expect(id).toMatch(/^[\x21-\x7e]{32,}$/);
    expect(one.id).not.toBe(two.id);
    await Promise.all(sessions.map(session => session.end()));
  });

  test('is what the SDK of its time expects', async () => {
    const client = await connectLegacy(host);
    expect(client.getServerCapabilities()).toMatchObject({ resources: { subscribe: true } });
    expect(await callTool(client, 'echo', { text: 'through' })).toEqual({ isError: false, text: 'through' });
    const seen: number[] = [];
    const onprogress = ({ progress }: { progress: number }) => void seen.push(progress);
    await client.callTool({ name: 'progress', arguments: { steps: 50 } }, undefined, { onprogress });
    expect(seen).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
    await client.close();
  });

  test('ends at DELETE: its child is gone, its id is 404', async () => {
    const session = await openSession(host);
    const pid = Number(await session.call(1, 'pid'));
    const listening = await session.listen();
    expect((await session.end()).status).toBe(204);
    await listening.ended;
    expect((await session.post(tool(2, 'pid'))).status).toBe(404);
    expect((await session.end()).status).toBe(404);
    await until('the child is gone', () => !isAlive(pid));
  });

  test('of one client is not that of another, whatever its requests are called', async () => {
    const [one, two] = await Promise.all([openSession(host), openSession(host)]);
    const slow = await one.ask('5', 'tools/call', { name: 'sleep', arguments: { ms: 300 } });
    await two.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: '5' } });
    expect((await slow.next('the answer', message => message.id === '5')).result.content[0].text).toBe('slept');
    await Promise.all([one.end(), two.end()]);
  });
});

describe('what the child says', () => {
  test('and asks goes over the stream of the request it works on', async () => {
    const session = await openSession(host, { capabilities: { sampling: {}, elicitation: {} } });
    const sampling = await session.ask(1, 'tools/call', { name: 'sample', arguments: { prompt: 'capital?' } });
    const question = await sampling.next('the question', message => message.method === 'sampling/createMessage');
    expect(question).toMatchObject({ id: 'constructor', params: { messages: [{ content: { text: 'capital?' } }] } });
    const content = { type: 'text', text: 'Paris' };
    const answer = { role: 'assistant', content, model: 'm' };
    expect((await session.post({ jsonrpc: '2.0', id: 'constructor', result: answer })).status).toBe(202);
    expect((await sampling.next('the result', message => message.id === 1)).result.content[0].text).toBe(
      'sampled Paris',
    );
    await sampling.ended;

    const eliciting = await session.ask(2, 'tools/call', { name: 'elicit', arguments: { message: 'name?' } });
    expect(await eliciting.next('the question', message => message.id === 7)).toMatchObject({
      method: 'elicitation/create',
    });
    await session.post({ jsonrpc: '2.0', id: 7, result: { action: 'accept', content: { name: 'Mona' } } });
    expect((await eliciting.next('the result', message => message.id === 2)).result.content[0].text).toBe(
      'accept Mona',
    );
    await session.end();
  });

  test('takes back a question over the same stream', async () => {
    const session = await openSession(host);
    const reading = await session.ask(1, 'tools/call', { name: 'withdraw', arguments: {} });
    await reading.ended;
    expect(reading.messages().map(message => message.method ?? message.id)).toEqual([
      'sampling/createMessage',
      'notifications/cancelled',
      1,
    ]);
    await session.end();
  });

  test('without being asked goes to the listening stream, also what came before there was one', async () => {
    const session = await openSession(host, { capabilities: { roots: {} } });
    await session.post({ jsonrpc: '2.0', method: 'notifications/initialized' });
    const listening = await session.listen();
    expect(listening.headers.get('content-type')).toBe('text/event-stream');
    const question = await listening.next('the question for roots', message => message.method === 'roots/list');
    await session.post({ jsonrpc: '2.0', id: question.id, result: { roots: [{ uri: 'file:///here' }] } });
    await until('the child knows', async () => (await session.call('heard', 'heard')) === 'file:///here');
    await (
      await session.ask(1, 'resources/subscribe', { uri: 'test://one' })
    ).ended;
    await listening.next('the update', message => message.method === 'notifications/resources/updated');
    await session.call(2, 'later');
    await listening.next('the change', message => message.method === 'notifications/tools/list_changed');
    listening.close();
    await session.end();
  });

  test('about progress and its log comes before the result', async () => {
    const session = await openSession(host);
    const params = { name: 'progress', arguments: { steps: 30 }, _meta: { progressToken: 'constructor' } };
    const reading = await session.ask(1, 'tools/call', params);
    await reading.ended;
    const messages = reading.messages();
    expect(messages.at(-1)).toMatchObject({ id: 1, result: {} });
    expect(messages.slice(0, -1).map(message => message.params.progress)).toEqual(
      Array.from({ length: 30 }, (_, index) => index + 1),
    );
    const logging = await session.ask(2, 'tools/call', { name: 'log', arguments: {} });
    await logging.ended;
    expect(logging.messages().map(message => message.method ?? message.id)).toEqual(['notifications/message', 2]);
    await session.end();
  });

  test('that is not true reaches nobody', async () => {
    const session = await openSession(host);
    const listening = await session.listen();
    const reading = await session.ask('lie', 'tools/call', { name: 'lie', arguments: {} });
    await reading.ended;
    expect(reading.messages()).toEqual([
      { jsonrpc: '2.0', id: 'lie', result: { content: [{ type: 'text', text: 'true' }] } },
    ]);
    expect(await session.call('constructor', 'echo', { text: 'sane' })).toBe('sane');
    expect(listening.messages()).toEqual([]);
    listening.close();
    await session.end();
  });
});

describe('what the client says', () => {
  test('to a question that nobody asked does not reach the child', async () => {
    const session = await openSession(host);
    for (const id of ['constructor', 99, '__proto__']) {
      expect((await session.post({ jsonrpc: '2.0', id, result: {} })).status).toBe(202);
    }
    expect(await session.call(1, 'heard')).toBe('');
    await session.end();
  });

  test('about a cancelled request reaches the child, and its stream ends', async () => {
    const session = await openSession(host);
    const hanging = await session.ask('slow', 'tools/call', { name: 'hang', arguments: {} });
    await session.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'slow' } });
    await hanging.ended;
    expect(hanging.messages()).toEqual([]);
    expect(await session.call(2, 'cancelled')).toBe('slow');
    await until('nothing is in flight', async () => (await host.health()).inFlight === 0);
    await session.end();
  });

  test('may be a batch, and may be named like members of Object.prototype', async () => {
    const session = await openSession(host);
    const ids = ['constructor', '__proto__', 'toString', -1, 0];
    const reading = read(await session.post(ids.map(id => tool(id, 'echo', { text: String(id) }))));
    await reading.ended;
    const answers = reading.messages().map(message => [message.id, message.result.content[0].text]);
    expect(answers).toEqual(ids.map(id => [id, String(id)]));
    expect(await session.call(1, 'constructor')).toContain('Unknown tool: constructor');
    await session.end();
  });

  test('must be one at a time under one id', async () => {
    const session = await openSession(host);
    const slow = await session.ask(1, 'tools/call', { name: 'sleep', arguments: { ms: 200 } });
    expect((await session.post(tool(1, 'pid'))).status).toBe(400);
    expect((await session.post([tool(2, 'pid'), tool(2, 'pid')])).status).toBe(400);
    await slow.next('the answer', message => message.id === 1);
    await slow.ended;
    expect(await session.call(1, 'echo', { text: 'free again' })).toBe('free again');
    await session.end();
  });
});

describe('a stream that breaks off', () => {
  test('is taken up where it ended, with the answer that came meanwhile', async () => {
    const session = await openSession(host);
    const broken = await session.ask(1, 'tools/call', { name: 'sleep', arguments: { ms: 300 } });
    await until('it says where to go on', () => broken.events[0]);
    const [{ id, retry }] = broken.events as [(typeof broken.events)[0]];
    expect(Number(retry)).toBeGreaterThan(0);
    broken.close();
    const resumed = await session.listen({ 'last-event-id': id! });
    expect((await resumed.next('the answer', message => message.id === 1)).result.content[0].text).toBe('slept');
    await resumed.ended;
    const again = await session.listen({ 'last-event-id': id! });
    await again.ended;
    expect(again.messages()).toHaveLength(1);
    await session.end();
  });

  test('and that nobody knows is refused', async () => {
    const session = await openSession(host);
    for (const id of ['p99-0', 'constructor', 'p1-constructor', '-']) {
      expect((await session.listen({ 'last-event-id': id })).status, id).toBe(400);
    }
    await session.end();
  });

  test('loses nothing of what nobody asked for', async () => {
    const session = await openSession(host);
    const first = await session.listen();
    await session.call(1, 'later');
    await first.next('a change', message => message.method === 'notifications/tools/list_changed');
    const id = first.events.findLast(event => event.message !== null)!.id!;
    first.close();
    await session.call(2, 'later', { ms: 0 });
    const second = await session.listen({ 'last-event-id': id });
    await second.next('the missed change', message => message.method === 'notifications/tools/list_changed');
    expect(second.messages()).toHaveLength(1);
    second.close();
    await session.end();
  });
});

describe('over HTTP', () => {
  test.each([
    ['no session id', {}, 400],
    ['an unknown one', { 'mcp-session-id': 'unknown' }, 404],
    ['one of Object.prototype', { 'mcp-session-id': 'constructor' }, 404],
    ['another', { 'mcp-session-id': '__proto__' }, 404],
    ['a version nobody speaks', { 'mcp-session-id': 'x', 'mcp-protocol-version': '1999-01-01' }, 400],
    ['no event stream', { 'mcp-session-id': 'x', accept: 'application/json' }, 406],
  ])('a request with %s is refused with %i', async (_what, headers: Record<string, string>, status) => {
    const response = await post(host, tool(1, 'pid'), headers);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ jsonrpc: '2.0', id: 1, error: { message: expect.any(String) } });
  });

  test('GET and DELETE need a session, other methods are none', async () => {
    const authorization = `Bearer ${host.token}`;
    const ask = (method: string, headers = {}) =>
      fetch(host.url, { method, headers: { authorization, accept: 'text/event-stream', ...headers } });
    for (const method of ['GET', 'DELETE']) {
      expect((await ask(method)).status, method).toBe(400);
      expect((await ask(method, { 'mcp-session-id': 'gone' })).status, method).toBe(404);
    }
    const put = await ask('PUT');
    expect([put.status, put.headers.get('allow')]).toEqual([405, 'GET, POST, DELETE']);
  });

  test.each([['null'], ['[]'], ['"text"'], ['{'], ['[null, 1]'], ['{"jsonrpc":"1.0","id":1,"method":"ping"}']])(
    'the body %s is refused',
    async body => {
      const session = await openSession(host);
      expect((await session.post(body)).status).toBe(400);
      expect(await session.call(1, 'echo', { text: 'still here' })).toBe('still here');
      await session.end();
    },
  );

  test('initialize is alone and begins a session', async () => {
    expect((await post(host, [initialize(1), initialize(2)])).status).toBe(400);
    const session = await openSession(host);
    expect((await session.post(initialize(3))).status).toBe(400);
    await session.end();
  });

  test('guards come first', async () => {
    const session = await openSession(host);
    expect((await session.post(tool(1, 'pid'), { origin: 'https://evil.test' })).status).toBe(403);
    expect((await post({ url: host.url, token: 'wrong' }, tool(1, 'pid'), session.headers)).status).toBe(401);
    expect((await fetch(host.url, { method: 'DELETE', headers: session.headers })).status).toBe(401);
    expect(await session.call(1, 'echo', { text: 'alive' })).toBe('alive');
    await session.end();
  });
});

test('a modern client needs no session: one child answers all, and the probe', async () => {
  const clients = await Promise.all([connectModern(host), connectModern(host)]);
  const pids = await Promise.all(clients.map(client => callTool(client, 'pid')));
  expect(pids[0]!.text).toBe(pids[1]!.text);
  const session = await openSession(host);
  expect(await session.call(1, 'pid')).not.toBe(pids[0]!.text);
  expect((await host.health()).ok).toBe(true);
  await Promise.all([session.end(), ...clients.map(client => client.close())]);
});

test('every call is counted and is one line, without arguments and results', async () => {
  const before = await host.health();
  const session = await openSession(host);
  await session.call('id-of-the-client', 'echo', { text: 'argument-of-this-test' });
  await session.call(2, 'constructor');
  await session.end();
  expect((await host.health()).requests).toBe(before.requests + 3);
  const calls = host.logLines().filter(line => line['msg'] === 'mcp call');
  expect(calls.slice(-3)).toMatchObject([
    { method: 'initialize', outcome: 'ok' },
    { method: 'tools/call', tool: 'echo', outcome: 'ok' },
    { method: 'tools/call', tool: 'constructor', outcome: 'error', code: -32602 },
  ]);
  for (const secret of ['argument-of-this-test', session.id, host.token]) expect(host.output()).not.toContain(secret);
});

test('an answer of some megabytes is carried, one over the limit is refused by name', async () => {
  const session = await openSession(host);
  expect(await session.call('large', 'giant', { bytes: 6_000_000 })).toHaveLength(6_000_000);
  expect(await session.call('too large', 'giant', { bytes: 20_000_000 })).toMatch(/over the limit of \d+ bytes/);
  expect(await session.call(3, 'echo', { text: 'again' })).toBe('again');
  await session.end();
});

test('a server that knows no sessions is served without', async () => {
  await using modern = await startSessionHost({}, { command: fixture('modern-only') });
  await until('it is up', async () => (await modern.health()).ok);
  const answer = await readAnswer(await post(modern, initialize(1)));
  expect(answer.result).toMatchObject({ protocolVersion: '2025-11-25' });
  const client = await connectLegacy(modern);
  expect((await callTool(client, 'echo', { text: 'without' })).text).toBe('without');
  await client.close();
});
