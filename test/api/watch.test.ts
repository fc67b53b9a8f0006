import { get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { generateToken, hashToken } from '../../src/secrets/api-token.ts';
import { beginAttempt, registerNode, writePhase } from '../support/observed.ts';
import { settle } from '../support/settle.ts';
import { openSse } from '../support/sse.ts';
import type { SseMessage } from '../support/sse.ts';
import { until } from '../support/until.ts';
import { about, createWatching, isBookmark } from '../support/watching.ts';
import type { Watching } from '../support/watching.ts';

let w: Watching;
beforeAll(async () => {
  w = await createWatching();
});
afterEach(() => w.hangUp());
afterAll(async () => {
  await w.close();
});

test('a watch begins with everything there is, then a bookmark, then what happens', async () => {
  const one = await w.declare({ a: '1' });
  const two = await w.declare();
  await settle(w.api.database.pool);
  const client = await w.watch();
  expect(client.headers.get('cache-control')).toBe('no-store');
  await client.next('the bookmark', isBookmark);
  const beginning = client.messages.slice(0, client.messages.findIndex(isBookmark));
  expect(beginning.filter(about(one.metadata.name))).toEqual([
    { event: 'added', id: one.metadata.resourceVersion, data: one },
  ]);
  expect(beginning.map(message => message.event)).toEqual(beginning.map(() => 'added'));
  expect(beginning).toHaveLength(w.declared);

  const three = await w.declare();
  await client.next('added', about(three.metadata.name, 'added'));
  const changed = await w.patch(two.metadata.name, { restart: 'never' });
  expect(await client.next('modified', about(two.metadata.name, 'modified'))).toEqual({
    event: 'modified',
    id: changed.metadata.resourceVersion,
    data: changed,
  });
  await w.erase(one.metadata.name);
  expect(await client.next('deleted', about(one.metadata.name, 'deleted'))).toMatchObject({
    data: {
      metadata: {
        name: one.metadata.name,
        uid: one.metadata.uid,
        labels: { a: '1' },
        resourceVersion: expect.stringMatching(/^\d+$/),
        deletedAt: expect.any(String),
      },
    },
  });
});

test('reports of controllers are told, usage is not', async () => {
  const { metadata } = await w.declare();
  await registerNode(w.api.database.pool, 'busy');
  const client = await w.watch(`&q=${metadata.name}`);
  await client.next('the bookmark', isBookmark);
  const attempt = await beginAttempt(w.api.database.pool, metadata.uid, 'busy', 3001, 1);
  await writePhase(w.api.database.pool, metadata.uid, 'Starting', attempt);
  await client.next('Starting', message => message.data.status?.phase === 'Starting');
  await w.api.database.pool.query(
    'insert into observations (attempt_id, instance_uid, ready, cpu, memory_bytes, requests) values ($1, $2, true, 1, 1, 1)',
    [attempt, metadata.uid],
  );
  await writePhase(w.api.database.pool, metadata.uid, 'Ready', attempt);
  await client.next('Ready', message => message.data.status?.phase === 'Ready');
  expect(client.messages.filter(about(metadata.name)).map(message => message.data.status.phase)).toEqual([
    'Pending',
    'Starting',
    'Ready',
  ]);
});

test('a filter tells only what it asks for, and the end of what leaves it', async () => {
  const inside = await w.declare({ team: 'a' });
  const outside = await w.declare({ team: 'b' });
  const client = await w.watch('&label=team=a');
  await client.next('the bookmark', isBookmark);
  expect(client.messages.some(about(inside.metadata.name, 'added'))).toBe(true);
  await w.patch(outside.metadata.name, { restart: 'never' });
  const set = (name: string, team: string) => w.relabel(name, { team });
  await set(outside.metadata.name, 'a');
  await client.next('it comes in', about(outside.metadata.name, 'added'));
  await set(outside.metadata.name, 'b');
  await client.next('it leaves', about(outside.metadata.name, 'deleted'));
  await w.erase(outside.metadata.name);
  await w.erase(inside.metadata.name);
  await client.next('the end', about(inside.metadata.name, 'deleted'));
  expect(client.messages.filter(about(outside.metadata.name)).map(message => message.event)).toEqual([
    'added',
    'deleted',
  ]);
});

test('a filter by phase, type and name', async () => {
  const mine = await w.declare();
  await w.declare({}, { type: 'github', apiKey: 'k' });
  const client = await w.watch(`&type=stdio&phase=Stopped&q=${mine.metadata.name}`);
  await client.next('the bookmark', isBookmark);
  expect(client.messages.filter(message => !isBookmark(message))).toEqual([]);
  await writePhase(w.api.database.pool, mine.metadata.uid, 'Stopped');
  await client.next('Stopped', about(mine.metadata.name, 'added'));
  await writePhase(w.api.database.pool, mine.metadata.uid, 'Pending');
  await client.next('no longer', about(mine.metadata.name, 'deleted'));
});

test('instances of a node that falls silent are told as Unknown, and as they are when it returns', async () => {
  const { metadata } = await w.declare();
  await registerNode(w.api.database.pool, 'flaky');
  const attempt = await beginAttempt(w.api.database.pool, metadata.uid, 'flaky', 3002, 2);
  await writePhase(w.api.database.pool, metadata.uid, 'Starting', attempt);
  const client = await w.watch(`&q=${metadata.name}`);
  await client.next('the bookmark', isBookmark);
  const look = (phase: string) => (message: SseMessage) =>
    message.event === 'modified' && message.data.status.phase === phase;
  const last = (): unknown => client.messages.findLast(about(metadata.name))?.data.status.phase;
  // Nobody says when the hub has seen the node alive, so it is shown both ways until it has seen both.
  let isAlive = true;
  await until('Unknown', async () => {
    isAlive = !isAlive;
    await registerNode(w.api.database.pool, 'flaky', isAlive ? 0 : 31_000);
    return client.messages.some(look('Unknown'));
  });
  await registerNode(w.api.database.pool, 'flaky', 31_000);
  await until('silent', () => last() === 'Unknown');
  await registerNode(w.api.database.pool, 'flaky');
  await until('returned', () => last() === 'Starting');
  // The versions are those of the object: nothing was written.
  const versions = client.messages.filter(about(metadata.name)).map(message => message.data.metadata.resourceVersion);
  expect(new Set(versions).size).toBe(1);
  expect(client.messages.filter(look('Unknown')).every(message => message.id === null)).toBe(true);
});

test('a client that stops reading is let go; one that reads again has missed nothing', async () => {
  const bigOnes = Array.from({ length: 8 }, (_, i) => `big-${i}`);
  const write = async (round: number): Promise<void> => {
    for (const name of bigOnes) {
      const config = { command: ['cat'], args: [String(round), ...Array<string>(12).fill('x'.repeat(30_000))] };
      await w.api.ask('PUT', `/api/v1/mcps/${name}`, { spec: { type: 'stdio', config } });
    }
  };
  await write(0);
  const url = new URL(w.base);
  const connect = async (): Promise<IncomingMessage> =>
    await new Promise(resolve => {
      get(url, { headers: { authorization: `Bearer ${w.api.adminToken}` }, agent: false }, resolve);
    });
  const accepted: Socket[] = [];
  w.api.app.server.on('connection', socket => accepted.push(socket));
  const stuck = await connect();
  const slow = await connect();
  let text = '';
  slow.on('data', chunk => {
    text += chunk;
  });
  await until('both know the beginning', () => text.includes('event: bookmark'));
  slow.pause();
  for (let round = 1; round <= 12; round++) {
    await write(round);
    // A little each time: it moves.
    const length = text.length;
    slow.resume();
    await until('a piece', () => text.length > length);
    slow.pause();
  }
  slow.resume();
  await until('the last state of each', () =>
    bigOnes.every(
      name => text.lastIndexOf(`"name":"${name}"`) < text.lastIndexOf('"args":["12"') && text.includes(name),
    ),
  );
  await until('the stuck one is let go', () => accepted[0]!.destroyed);
  slow.destroy();
  stuck.destroy();
}, 40_000);

test('a stream ends when its token is taken away', async () => {
  const token = generateToken('mmcp_');
  await w.api.database.pool.query(`insert into tokens (name, hash, scopes) values ('brief', $1, '{read}')`, [
    hashToken(token),
  ]);
  const client = await openSse(w.base, token);
  await client.next('the bookmark', isBookmark);
  await w.api.database.pool.query(`delete from tokens where name = 'brief'`);
  await until('the stream is over', () => client.isOver);
  // Until then it said now and then where it is.
  expect(client.messages.filter(isBookmark).length).toBeGreaterThanOrEqual(2);
});
