import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callTool, connectLegacy, connectModern, post, readAnswer } from '../support/clients.ts';
import { startFakeGithub } from '../support/github.ts';
import type { FakeGithub } from '../support/github.ts';
import { startHost } from '../support/host.ts';
import type { TestHost } from '../support/host.ts';
import { initialize } from '../support/session-client.ts';
import { until } from '../support/until.ts';

let github: FakeGithub;
let host: TestHost;
beforeAll(async () => {
  github = await startFakeGithub();
  host = await startHost({ upstreamUrl: github.url });
});
afterAll(() => Promise.all([host.dispose(), github[Symbol.asyncDispose]()]));

const tools = ['get_me', 'list_issues', 'issue_read', 'pull_request_read'];

describe.each([
  ['legacy', connectLegacy],
  ['modern', connectModern],
] as const)('a %s client', (_era, connect) => {
  test('shakes hands, lists and calls', async () => {
    const client = await connect(host);
    expect(client.getServerVersion()).toMatchObject({ name: 'github' });
    const listed = await client.listTools();
    expect(listed.tools.map(tool => tool.name)).toEqual(expect.arrayContaining(tools));
    const answer = await callTool(client, 'get_me');
    expect(JSON.parse(answer.text)).toMatchObject({ login: 'mona' });
    await client.close();
  });

  test('is told what is wrong with its arguments', async () => {
    const client = await connect(host);
    const answer = await callTool(client, 'issue_read', { method: 'get', owner: '..', repo: 'demo', issue_number: 0 });
    expect(answer.isError).toBe(true);
    expect(answer.text).toMatch(/owner|issue_number/);
    await client.close();
  });

  test('that goes away takes its request to GitHub with it', async () => {
    const client = await connect(host);
    await github.forgetCalls();
    await github.fail({ kind: 'slow', delayMs: 5000 });
    const calling = callTool(client, 'get_me').catch(() => null);
    await until('the call has reached GitHub', async () => (await github.calls()).length === 1);
    await client.close();
    await until('the call is aborted', async () => (await github.calls())[0]?.aborted === true);
    await calling;
    await github.fail(null);
    await until('nothing is in flight', async () => (await host.health()).inFlight === 0);
  });
});

test('a cancellation that comes as a request of its own is obeyed from the client of the call, and from no other', async () => {
  await github.forgetCalls();
  await github.fail({ kind: 'slow', delayMs: 5000 });
  const begin = async () => {
    const id = (await post(host, initialize())).headers.get('mcp-session-id');
    return { 'mcp-session-id': id!, 'mcp-protocol-version': '2025-11-25' };
  };
  const [one, other] = await Promise.all([begin(), begin()]);
  const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'get_me', arguments: {} } };
  const calling = post(host, call, one).then(readAnswer);
  await until('the call has reached GitHub', async () => (await github.calls()).length === 1);
  const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1, reason: 'enough' } };
  for (const headers of [other, {}]) expect((await post(host, cancel, headers)).status).toBe(202);
  expect(await host.health()).toMatchObject({ inFlight: 1 });
  expect((await github.calls())[0]?.aborted).toBe(false);
  expect((await post(host, cancel, one)).status).toBe(202);
  expect(await calling).toMatchObject({ id: 1, error: { message: expect.stringContaining('cancelled') } });
  await until('the call is aborted', async () => (await github.calls())[0]?.aborted === true);
  await github.fail(null);
});

test('ids that are names of Object.prototype are ids like others', async () => {
  for (const id of ['constructor', '__proto__', 'toString', -1, 0, 1e15]) {
    const answer = await readAnswer(await post(host, { jsonrpc: '2.0', id, method: 'tools/list' }));
    expect(answer.id).toBe(id);
    expect(answer.result).toBeDefined();
  }
  for (const name of ['constructor', '__proto__', 'hasOwnProperty']) {
    const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: {} } };
    const answer = await readAnswer(await post(host, call));
    expect(answer.error ?? answer.result?.['isError']).toBeTruthy();
  }
  expect((await host.health()).ok).toBe(true);
});

test('a legacy batch is answered call by call', async () => {
  const batch = [
    { jsonrpc: '2.0', id: 1, method: 'ping' },
    { jsonrpc: '2.0', id: 2, method: 'tools/list' },
  ];
  const response = await post(host, batch);
  const text = await response.text();
  const ids = [...text.matchAll(/^data: (.*)$/gm)].map(match => (JSON.parse(match[1]!) as { id: number }).id);
  expect(ids.toSorted((a, b) => a - b)).toEqual([1, 2]);
});

test('clients share a host without seeing one another', async () => {
  const clients = await Promise.all([connectLegacy(host), connectModern(host), connectLegacy(host)]);
  const answers = await Promise.all(
    clients.flatMap(client => [1, 2, 3].map(number => callTool(client, 'issue_read', read(number)))),
  );
  const numbers = answers.map(answer => (JSON.parse(answer.text) as { number: number }).number);
  expect(numbers).toEqual([1, 2, 3, 1, 2, 3, 1, 2, 3]);
  await Promise.all(clients.map(client => client.close()));
});

function read(issue_number: number) {
  return { method: 'get', owner: 'mona', repo: 'demo', issue_number };
}

test('every call is one line: method, tool, outcome and time, no argument and no secret', async () => {
  const client = await connectLegacy(host);
  await callTool(client, 'issue_read', { ...read(4), repo: 'a-repository-of-this-test' });
  const calls = host.logLines().filter(line => line['msg'] === 'mcp call');
  const last = calls.findLast(line => line['method'] === 'tools/call');
  expect(last).toMatchObject({ level: 30, tool: 'issue_read', outcome: 'error' });
  expect(Object.keys(last!).toSorted()).toEqual(['level', 'method', 'ms', 'msg', 'outcome', 'pid', 'time', 'tool']);
  for (const secret of [host.token, 'ghp_testtoken', 'a-repository-of-this-test', 'Issue 4']) {
    expect(host.output()).not.toContain(secret);
  }
  await client.close();
});

test('probes are not counted, calls are', async () => {
  const before = await host.health();
  await host.health();
  expect((await host.health()).requests).toBe(before.requests);
  await post(host, { jsonrpc: '2.0', id: 1, method: 'ping' }).then(response => response.text());
  const after = await host.health();
  expect(after.requests).toBe(before.requests + 1);
  expect(after.lastAccessedMsAgo).toBeLessThan(1000);
});
