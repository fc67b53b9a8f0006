import { realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callTool, connectLegacy, connectModern, post, readAnswer } from '../support/clients.ts';
import { fixture } from '../support/fixture.ts';
import { startHost } from '../support/host.ts';
import type { TestHost } from '../support/host.ts';
import { until } from '../support/until.ts';

let host: TestHost;
beforeAll(async () => {
  host = await startHost({
    command: { argv: fixture('echo', 'one', 'two words'), env: { PATH: process.env['PATH']!, GREETING: 'hello' } },
    secrets: { API_TOKEN: 'secret-of-the-child' },
    env: { MINIMCP_OWNER: 'installation/node', HOST_ONLY: 'not for children' },
  });
});
afterAll(() => host.dispose());

describe.each([
  ['legacy', connectLegacy],
  ['modern', connectModern],
] as const)('a %s client through the bridge', (era, connect) => {
  test('sees the child, not the bridge', async () => {
    const client = await connect(host);
    expect(client.getServerVersion()).toMatchObject({ name: 'fixture', version: '1.2.3' });
    expect(client.getInstructions()).toBe('Only for tests.');
    const { tools } = await client.listTools();
    expect(tools.map(tool => tool.name)).toContain('echo');
    expect(await callTool(client, 'echo', { text: 'hé "quoted"\n' })).toEqual({
      isError: false,
      text: 'hé "quoted"\n',
    });
    expect(await callTool(client, 'fail')).toEqual({ isError: true, text: 'it went wrong' });
    await client.close();
  });

  test('is offered what can be delivered', async () => {
    const client = await connect(host);
    const listChanged = era === 'modern';
    expect(client.getServerCapabilities()).toMatchObject({
      tools: { listChanged },
      resources: { subscribe: false, listChanged },
    });
    await client.close();
  });

  test('reaches resources, prompts and completion', async () => {
    const client = await connect(host);
    expect((await client.listResources()).resources).toMatchObject([{ uri: 'test://one' }]);
    expect((await client.listResourceTemplates()).resourceTemplates).toMatchObject([{ name: 'any' }]);
    expect((await client.readResource({ uri: 'test://one' })).contents).toMatchObject([
      { text: 'content of test://one' },
    ]);
    expect((await client.listPrompts()).prompts).toMatchObject([{ name: 'greet' }]);
    expect((await client.getPrompt({ name: 'greet' })).messages).toHaveLength(1);
    const ref = { type: 'ref/prompt' as const, name: 'greet' };
    const { completion } = await client.complete({ ref, argument: { name: 'who', value: 'me' } });
    expect(completion.values).toEqual(['me!']);
    await client.close();
  });

  test('gets every progress before the result, the last one too', async () => {
    const client = await connect(host);
    for (let round = 0; round < 5; round++) {
      const seen: number[] = [];
      const onprogress = ({ progress }: { progress: number }) => void seen.push(progress);
      const params = { name: 'progress', arguments: { steps: 20 } };
      await (era === 'legacy'
        ? (client as Awaited<ReturnType<typeof connectLegacy>>).callTool(params, undefined, { onprogress })
        : (client as Awaited<ReturnType<typeof connectModern>>).callTool(params, { onprogress }));
      expect(seen).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    }
    await client.close();
  });

  test('gets the error of the child as it is', async () => {
    const client = await connect(host);
    await expect(client.callTool({ name: 'constructor', arguments: {} })).rejects.toMatchObject({
      code: -32602,
      message: expect.stringContaining('Unknown tool: constructor'),
    });
    await client.close();
  });

  test('whose call is cancelled cancels it in the child', async () => {
    const client = await connect(host);
    const before = Number((await callTool(client, 'cancelled')).text);
    const controller = new AbortController();
    const params = { name: 'sleep', arguments: { ms: 30_000 } };
    const calling =
      era === 'legacy'
        ? (client as Awaited<ReturnType<typeof connectLegacy>>).callTool(params, undefined, {
            signal: controller.signal,
          })
        : (client as Awaited<ReturnType<typeof connectModern>>).callTool(params, { signal: controller.signal });
    await until('the call is in flight', async () => (await host.health()).inFlight === 1);
    controller.abort();
    await expect(calling).rejects.toThrow();
    await until('the child knows', async () => Number((await callTool(client, 'cancelled')).text) === before + 1);
    await client.close();
  });
});

test('what the child logs while it works reaches who waits for it', async () => {
  const client = await connectLegacy(host);
  const logged: unknown[] = [];
  const { LoggingMessageNotificationSchema } = await import('@modelcontextprotocol/sdk/types.js');
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void logged.push(params.data));
  await client.setLoggingLevel('info');
  expect((await callTool(client, 'log')).text).toBe('logged');
  expect(logged).toEqual(['a line from the child']);
  await client.close();
});

test('a changed list reaches the clients that listen', async () => {
  const client = await connectModern(host);
  let changes = 0;
  client.setNotificationHandler('notifications/tools/list_changed', () => {
    changes += 1;
  });
  const subscription = await client.listen({ toolsListChanged: true });
  await callTool(client, 'change');
  await until('the change arrives', () => changes === 1);
  await subscription.close();
  await client.close();
});

test('nonsense on stdout is passed over, and kept for the log', async () => {
  const client = await connectModern(host);
  expect((await callTool(client, 'nonsense')).text).toBe('sane');
  expect(host.output()).toContain('Listening on stdio!');
  await client.close();
});

test('all clients share one child in its own process group, session and directory', async () => {
  const clients = await Promise.all([connectLegacy(host), connectModern(host)]);
  const pids = await Promise.all(clients.map(client => callTool(client, 'pid')));
  expect(pids[0]!.text).toBe(pids[1]!.text);
  const { readFileSync } = await import('node:fs');
  const stat = readFileSync(`/proc/${pids[0]!.text}/stat`, 'latin1');
  const [, parent, group, session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  expect([Number(parent), group, session]).toEqual([host.process.pid, pids[0]!.text, pids[0]!.text]);
  expect((await callTool(clients[0], 'cwd')).text).toBe(realpathSync(tmpdir()));
  expect((await callTool(clients[0], 'argv')).text).toBe('one two words');
  await Promise.all(clients.map(client => client.close()));
});

test("the child's environment is what it was given, its secrets and the markers", async () => {
  const client = await connectModern(host);
  const read = async (name: string) => (await callTool(client, 'env', { name })).text;
  expect(await read('GREETING')).toBe('hello');
  expect(await read('API_TOKEN')).toBe('secret-of-the-child');
  expect(await read('MINIMCP_ATTEMPT')).toBe(host.assignment.attempt);
  expect(await read('MINIMCP_OWNER')).toBe('installation/node');
  expect(await read('HOST_ONLY')).toBe('');
  await callTool(client, 'echo', { text: 'secret-of-the-child' });
  expect(host.output()).not.toContain('secret-of-the-child');
  await client.close();
});

test('a ping goes through to the child', async () => {
  const answer = await readAnswer(await post(host, { jsonrpc: '2.0', id: 'p', method: 'ping' }));
  expect(answer).toEqual({ jsonrpc: '2.0', id: 'p', result: {} });
});

test('a server of the new revision alone is served as well', async () => {
  await using modern = await startHost({ command: fixture('modern-only') });
  await until('it is up', async () => (await modern.health()).ok);
  for (const connect of [connectLegacy, connectModern]) {
    const client = await connect(modern);
    expect((await callTool(client, 'echo', { text: 'both ways' })).text).toBe('both ways');
    await client.close();
  }
});
