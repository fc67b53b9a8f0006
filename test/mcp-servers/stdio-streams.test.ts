import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { openEventStream } from '../../mcp-servers/stdio/event-stream.ts';
import type { EventStream } from '../../mcp-servers/stdio/event-stream.ts';
import { createJournal } from '../../mcp-servers/stdio/journal.ts';
import { readMessages } from '../../mcp-servers/stdio/messages.ts';
import { openSession, read, startSessionHost } from '../support/session-client.ts';
import { until } from '../support/until.ts';

const mebibyte = 1024 * 1024;
/** More than the system takes in for a reader that does not read. */
const muchData = 'x'.repeat(24 * mebibyte);

describe('lines of a megabyte', () => {
  test('that nobody takes are not read on', async () => {
    const line = Buffer.from(
      `${JSON.stringify({ jsonrpc: '2.0', method: 'note', params: { data: 'x'.repeat(mebibyte) } })}\n`,
    );
    let produced = 0;
    const stream = new Readable({
      highWaterMark: 1,
      read() {
        if (produced === 40) this.push(null);
        else this.push((produced++, line));
      },
    });
    const taking = Promise.withResolvers<void>();
    let taken = 0;
    const reading = readMessages(stream, {
      async onMessage() {
        await taking.promise;
        taken += 1;
      },
      onNoise: () => {},
    });
    await until('the child has to wait', () => stream.isPaused());
    expect(produced).toBeLessThan(10);
    taking.resolve();
    await reading;
    expect(taken).toBe(40);
  });
});

describe('the journal', () => {
  test('keeps the newest event, whatever its size', () => {
    const journal = createJournal();
    journal.add('p1', 'small');
    const { number } = journal.add('p2', muchData);
    expect(journal.since('p2', 0).map(event => event.number)).toEqual([number]);
    expect(journal.since('p1', 0)).toEqual([]);
    journal.add('s', 'small again');
    expect(journal.since('p2', 0)).toEqual([]);
    expect(journal.since('s', 0)).toHaveLength(1);
  });
});

describe('an event stream', () => {
  const undo: (() => void)[] = [];
  afterEach(() => {
    for (const each of undo.splice(0)) each();
  });

  /** Opens one to a client that reads nothing by itself. */
  async function open(method: string, limitMs?: number) {
    const opened = Promise.withResolvers<{ stream: EventStream; response: ServerResponse }>();
    const server = createServer((_request, response) => {
      opened.resolve({ stream: openEventStream(response, {}, false, limitMs), response });
    });
    await new Promise<void>(done => {
      server.listen(0, '127.0.0.1', done);
    });
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.on('error', () => {});
    client.write(`${method} / HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n`);
    undo.push(() => {
      client.destroy();
      server.closeAllConnections();
      server.close();
    });
    return { ...(await opened.promise), client };
  }

  /** Reads a little at a time, much more slowly than the limit allows for the whole. */
  function sip(client: Socket): () => number {
    let bytes = 0;
    client.on('readable', () => {});
    const timer = setInterval(() => {
      bytes += ((client.read(64 * 1024) ?? client.read()) as Buffer | null)?.length ?? 0;
    }, 8);
    undo.push(() => clearInterval(timer));
    return () => bytes;
  }

  test('to a slow but steady reader arrives whole', async () => {
    const { stream, client } = await open('POST', 1000);
    const taken = sip(client);
    const written = stream.write('1', muchData);
    expect(written).toBeInstanceOf(Promise);
    // As behind the last answer of a request.
    stream.end();
    await until('all has come', () => taken() > muchData.length);
    await written;
    await until('it is over', () => !stream.open);
  });

  test('to one that reads nothing is ended, a GET long before a POST', async () => {
    const [listening, waiting] = await Promise.all([open('GET'), open('POST')]);
    void waiting.stream.write('1', muchData);
    const gone = listening.stream.write('1', muchData);
    await gone;
    expect(listening.response.destroyed).toBe(true);
    expect(waiting.response.destroyed).toBe(false);
  });

  test('waits once for all that is written, and goes on when it is read', async () => {
    const { stream, response, client } = await open('GET');
    const writes = Array.from({ length: 24 }, () => stream.write('1', 'x'.repeat(mebibyte)));
    for (const event of ['drain', 'close', 'timeout']) expect(response.listenerCount(event)).toBeLessThan(4);
    client.resume();
    for (const written of writes) await written;
    expect(stream.open).toBe(true);
    expect(response.socket?.timeout).toBe(0);
  });
});

describe('a request that the client has given up', () => {
  test('does not swallow what is for the listening stream', async () => {
    await using host = await startSessionHost();
    const session = await openSession(host);
    const listening = await session.listen();
    const hanging = await session.ask(1, 'tools/call', { name: 'hang', arguments: {} });
    hanging.close();
    await until('the host knows', async () => (await host.health()).inFlight === 0);
    await session.call(2, 'later');
    await listening.next('the change', message => message.method === 'notifications/tools/list_changed');
    listening.close();
  });

  test('is refused in the end, so that they do not pile up', async () => {
    await using host = await startSessionHost();
    const session = await openSession(host);
    const batch = (from: number) =>
      Array.from({ length: 100 }, (_, index) => ({
        jsonrpc: '2.0',
        id: from + index,
        method: 'tools/call',
        params: { name: 'hang', arguments: {} },
      }));
    const oldest = read(await session.post(batch(0)));
    for (let from = 100; from < 1100; from += 100) read(await session.post(batch(from)));
    await until('the oldest are refused', () => oldest.messages().length >= 76);
    expect(oldest.messages()[0]).toMatchObject({ id: 0, error: { message: expect.stringContaining('Cancel what') } });
    expect(oldest.messages()).toHaveLength(76);
    expect(await session.call('next', 'echo', { text: 'served' })).toBe('served');
    await session.end();
  });
});

test('a changed list is told to the listening stream also while a request is worked on', async () => {
  await using host = await startSessionHost();
  const session = await openSession(host);
  const listening = await session.listen();
  const slow = await session.ask(1, 'tools/call', { name: 'sleep', arguments: { ms: 800 } });
  await session.call(2, 'later');
  await slow.ended;
  expect(slow.messages().map(message => message.id)).toEqual([1]);
  await listening.next('the change', message => message.method === 'notifications/tools/list_changed');
  listening.close();
});
