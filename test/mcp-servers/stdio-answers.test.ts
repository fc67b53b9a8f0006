import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readMessages } from '../../mcp-servers/stdio/messages.ts';
import { post } from '../support/clients.ts';
import { fixture } from '../support/fixture.ts';
import { startHost } from '../support/host.ts';
import type { TestHost } from '../support/host.ts';
import { openSession, startSessionHost } from '../support/session-client.ts';
import { until } from '../support/until.ts';

const result = { content: [{ type: 'text', text: 'fine' }] };
const error = { code: -32000, message: 'so it is' };
const invalid = { error: { code: -32603, message: "The server's answer is not valid JSON-RPC." } };

const answers: [string, object, object][] = [
  ['a result of null', { result: null }, invalid],
  ['neither result nor error', {}, invalid],
  ['an error of null beside its result', { result, error: null }, { result }],
  ['a result of null beside its error', { result: null, error }, { error }],
  ['an error without a code', { error: { message: 'which?' } }, invalid],
  ['an error that is a text', { error: 'broken' }, invalid],
  ['a result that is a text', { result: 'done' }, invalid],
];

describe.each([
  ['shared', () => startHost({ command: fixture('sloppy') })],
  ['session', () => startSessionHost({}, { command: fixture('sloppy') })],
] as const)('with isolation %s an answer with', (isolation, start) => {
  let host: TestHost;
  beforeAll(async () => {
    host = await start();
    await until('it is up', async () => (await host.health()).ok);
  });
  afterAll(() => host.dispose());

  test.each(answers)('%s is an answer, and costs nobody else anything', async (_what, members, expected) => {
    const session = isolation === 'session' ? await openSession(host) : null;
    const call = (id: number, name: string, args: object) => {
      const message = { jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } };
      return (session === null ? post(host, message) : session.post(message)).then(response => response.text());
    };
    const readJson = (text: string) => JSON.parse(/^data: (\{.*)$/m.exec(text)?.[1] ?? text) as object;
    expect(readJson(await call(1, 'answer', { members }))).toEqual({ jsonrpc: '2.0', id: 1, ...expected });
    expect(readJson(await call(2, 'echo', { text: 'goes on' }))).toMatchObject({
      result: { content: [{ text: 'goes on' }] },
    });
    await session?.end();
  });
});

test('an initialize with both members opens a session, and leaves nothing behind', async () => {
  await using host = await startSessionHost({ most: 1 }, { command: fixture('sloppy') });
  for (let round = 0; round < 2; round++) {
    const session = await openSession(host);
    expect(await session.call(1, 'echo', { text: 'in' })).toBe('in');
    await session.end();
  }
});

test('a message that cannot be taken is lost alone, and said', async () => {
  const stream = new PassThrough();
  const taken: unknown[] = [];
  const noise: string[] = [];
  const read = readMessages(stream, {
    onMessage(message) {
      if ('method' in message && message.method === 'bad') throw new TypeError('no reader for it');
      taken.push(message);
    },
    onNoise: line => noise.push(line.toString()),
  });
  stream.end('{"jsonrpc":"2.0","method":"bad"}\n{"jsonrpc":"2.0","method":5}\n{"jsonrpc":"2.0","method":"good"}\n');
  await read;
  expect(taken).toEqual([{ jsonrpc: '2.0', method: 'good' }]);
  expect(noise).toEqual([
    expect.stringMatching(/a message .* was lost: TypeError: no reader/),
    '{"jsonrpc":"2.0","method":5}',
  ]);
});
