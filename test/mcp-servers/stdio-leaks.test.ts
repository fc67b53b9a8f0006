import { describe, expect, test } from 'vitest';
import { callTool, connectModern, post } from '../support/clients.ts';
import { fixture } from '../support/fixture.ts';
import { startHost } from '../support/host.ts';
import { countChildren, countDescriptors } from '../support/process.ts';
import { openSession, startSessionHost } from '../support/session-client.ts';
import { until } from '../support/until.ts';

const call = (id: number) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name: 'echo', arguments: { text: String(id) } },
});

/** A thousand, some at a time. */
async function ask(one: (id: number) => Promise<unknown>, times = 1000): Promise<void> {
  for (let from = 0; from < times; from += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, index) => one(from + index)));
  }
}

describe('a thousand requests', () => {
  test('to one child leave no descriptor, listener or child behind', async () => {
    await using host = await startHost({ command: fixture('echo') });
    await until('it is up', async () => (await host.health()).ok);
    const client = await connectModern(host);
    const round = async (id: number) =>
      id % 2 === 0
        ? expect((await callTool(client, 'echo', { text: `${id}` })).text).toBe(`${id}`)
        : expect(await (await post(host, call(id))).text()).toContain(`"${id}"`);
    await ask(round, 100);
    const before = countDescriptors(host.process.pid!);
    await ask(round);
    await until('the descriptors are back', () => countDescriptors(host.process.pid!) <= before);
    expect(countChildren(host.process.pid!)).toBe(1);
    expect(host.output()).not.toMatch(/MaxListeners|Warning/);
    await client.close();
  });

  test('in sessions neither', async () => {
    await using host = await startSessionHost();
    await until('it is up', async () => (await host.health()).ok);
    const sessions = await Promise.all([openSession(host), openSession(host)]);
    const round = async (id: number) => {
      const reading = await sessions[id % 2]!.ask(id, 'tools/call', { name: 'echo', arguments: { text: `${id}` } });
      await reading.ended;
      expect(reading.messages().at(-1).result.content[0].text).toBe(`${id}`);
    };
    await ask(round, 100);
    const before = countDescriptors(host.process.pid!);
    await ask(round);
    await until('the descriptors are back', () => countDescriptors(host.process.pid!) <= before);
    expect(countChildren(host.process.pid!)).toBe(3);
    expect(host.output()).not.toMatch(/MaxListeners|Warning/);
  });

  test('and thirty sessions that end leave nothing either', async () => {
    await using host = await startSessionHost();
    await until('it is up', async () => (await host.health()).ok);
    const live = async () => {
      const session = await openSession(host);
      const listening = await session.listen();
      expect(await session.call(1, 'echo', { text: 'hello' })).toBe('hello');
      await session.end();
      await listening.ended;
    };
    await live();
    await until('its child is gone', () => countChildren(host.process.pid!) === 1);
    const before = countDescriptors(host.process.pid!);
    for (let batch = 0; batch < 10; batch++) await Promise.all([live(), live(), live()]);
    await until('the children are gone', () => countChildren(host.process.pid!) === 1);
    await until('the descriptors are back', () => countDescriptors(host.process.pid!) <= before);
    expect(host.output()).not.toMatch(/MaxListeners|Warning/);
  }, 40_000);
});
