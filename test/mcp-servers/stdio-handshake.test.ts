import { expect, test } from 'vitest';
import { callTool, connectLegacy, connectModern, post, readAnswer } from '../support/clients.ts';
import { fixture } from '../support/fixture.ts';
import { startHost } from '../support/host.ts';
import { until } from '../support/until.ts';

test.each([
  ['dies of any other first message', []],
  ['refuses initialize with what it does not know', ['strict']],
])('a server that %s is served', async (_what, args) => {
  await using host = await startHost({ command: fixture('picky', ...args) });
  for (const connect of [connectLegacy, connectModern]) {
    const client = await connect(host);
    expect(Number((await callTool(client, 'pid')).text)).toBeGreaterThan(0);
    await client.close();
  }
});

test('a server of both eras is spoken to in the modern one, and its lists are watched', async () => {
  await using host = await startHost({ command: fixture('conformance-server', 'both') });
  await until('it is up', async () => (await host.health()).ok);
  const client = await connectModern(host);
  let changes = 0;
  client.setNotificationHandler('notifications/prompts/list_changed', () => {
    changes += 1;
  });
  const subscription = await client.listen({ promptsListChanged: true });
  await callTool(client, 'test_trigger_prompt_change');
  await until('the change arrives', () => changes === 1);
  await subscription.close();
  await client.close();
});

test('what it asks is answered by a modern client, and refused to one without a session', async () => {
  await using host = await startHost({ command: fixture('asks-modern') });
  const params = { name: 'name', arguments: {} };
  const answer = await readAnswer(await post(host, { jsonrpc: '2.0', id: 1, method: 'tools/call', params }));
  expect(answer.error?.message).toMatch(/2026-07-28.*isolation to "session"/);
  const client = await connectModern(host, { elicitation: {} });
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { name: 'Mona' } }));
  expect((await callTool(client, 'name')).text).toBe('Mona state-1 {"elicitation":{}}');
  await client.close();
});

test('a legacy client sets the level of a modern server, and gets its lines before the result', async () => {
  await using host = await startHost({ command: fixture('conformance-server', 'modern') });
  const client = await connectLegacy(host);
  const logged: unknown[] = [];
  const { LoggingMessageNotificationSchema } = await import('@modelcontextprotocol/sdk/types.js');
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void logged.push(params.data));
  await callTool(client, 'test_logging_tool');
  expect(logged).toEqual([]);
  await client.setLoggingLevel('info');
  await callTool(client, 'test_logging_tool');
  expect(logged).toHaveLength(3);
  await client.close();
});
