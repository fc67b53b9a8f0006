import pg from 'pg';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { event } from '../../specs/event.ts';
import type { Instance } from '../../specs/instance.ts';
import { createTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { writePhase } from '../support/observed.ts';
import { settle } from '../support/settle.ts';
import { openSse } from '../support/sse.ts';
import type { SseClient, SseMessage } from '../support/sse.ts';
import { until } from '../support/until.ts';

let api: TestApi;
let base: string;
let names = 0;
const open: SseClient[] = [];
const page = z.object({ items: z.array(event), nextCursor: z.string().nullable() });

beforeAll(async () => {
  api = await createTestApi({}, { bookmarkMs: 200 });
  await api.app.listen({ port: 0, host: '127.0.0.1' });
  base = `http://127.0.0.1:${(api.app.server.address() as AddressInfo).port}/api/v1`;
});
afterEach(() => {
  for (const client of open.splice(0)) client.close();
});
afterAll(async () => {
  await api.close();
});

const declare = async (): Promise<Instance> =>
  (
    await api.ask('PUT', `/api/v1/mcps/e-${++names}`, { spec: { type: 'stdio', config: { command: ['cat'] } } })
  ).json<Instance>();
const list = async (path: string) => page.parse((await api.ask('GET', `/api/v1${path}`)).json());
async function follow(path: string, headers: Record<string, string> = {}): Promise<SseClient> {
  const client = await openSse(base + path, api.adminToken, headers);
  open.push(client);
  return client;
}
const isBookmark = (message: SseMessage): boolean => message.event === 'bookmark';
const told = (client: SseClient) => client.messages.filter(message => message.event === 'event');
const reasonsOf = (client: SseClient): string[] => told(client).map(message => message.data.reason);

test('the trail of an instance, oldest first, to its end and an hour beyond', async () => {
  const { metadata } = await declare();
  await writePhase(api.database.pool, metadata.uid, 'Stopped');
  await api.ask('PATCH', `/api/v1/mcps/${metadata.name}`, { spec: { restart: 'never' } });
  const { items, nextCursor } = await list(`/mcps/${metadata.name}/events`);
  expect(nextCursor).toBe(null);
  expect(items.map(item => [item.reason, item.from, item.to, item.controller])).toEqual([
    ['Declared', null, 'Pending', 'api'],
    ['Spawning', 'Pending', 'Stopped', 'process'],
    ['SpecChanged', null, null, 'api'],
  ]);
  expect(items.every(item => item.instance.uid === metadata.uid && item.instance.name === metadata.name)).toBe(true);
  await api.ask('DELETE', `/api/v1/mcps/${metadata.name}`);
  await api.database.pool.query('delete from instances where uid = $1', [metadata.uid]);
  expect((await list(`/mcps/${metadata.name}/events`)).items).toEqual(items);
  expect((await list(`/events?instance=${metadata.uid}`)).items).toEqual(items);
  // A new instance of that name has its own trail.
  await api.ask('PUT', `/api/v1/mcps/${metadata.name}`, { spec: { type: 'stdio', config: { command: ['cat'] } } });
  expect((await list(`/mcps/${metadata.name}/events`)).items).toMatchObject([{ reason: 'Declared' }]);
  expect((await api.ask('GET', '/api/v1/mcps/never-was/events')).statusCode).toBe(404);
});

test('pages give every event once', async () => {
  for (let i = 0; i < 3; i++) await declare();
  const all = (await list('/events?limit=500')).items;
  expect(all.map(item => Number(item.id))).toEqual(all.map(item => Number(item.id)).toSorted((a, b) => a - b));
  const seen = [];
  let cursor: string | null = null;
  do {
    const next: z.infer<typeof page> = await list(`/events?limit=2${cursor === null ? '' : `&cursor=${cursor}`}`);
    seen.push(...next.items);
    cursor = next.nextCursor;
  } while (cursor !== null);
  expect(seen).toEqual(all);
});

test.each(['?limit=0', '?cursor=x', '?instance=x', '?reason=Ready', '?follow=perhaps'])('%s is 400', async query => {
  expect((await api.ask('GET', `/api/v1/events${query}`)).statusCode).toBe(400);
});

test('follow begins with the last events and goes on with those that happen', async () => {
  const { metadata } = await declare();
  for (const restart of ['never', 'always', 'on-failure']) {
    await api.ask('PATCH', `/api/v1/mcps/${metadata.name}`, { spec: { restart } });
  }
  await settle(api.database.pool);
  const client = await follow(`/mcps/${metadata.name}/events?follow=1&limit=2`);
  await client.next('the bookmark', isBookmark);
  expect(told(client).map(message => message.data.data.generation)).toEqual([3, 4]);
  await declare();
  await api.ask('POST', `/api/v1/mcps/${metadata.name}/restart`);
  await client.next('the restart', message => message.data.message === 'A restart was asked for');
  expect(reasonsOf(client)).toEqual(['SpecChanged', 'SpecChanged', 'SpecChanged']);
  expect(event.parse(told(client)[0]!.data).instance.name).toBe(metadata.name);
});

test('Last-Event-ID resumes after an event, also in the middle of a transaction, and after a bookmark', async () => {
  const { metadata } = await declare();
  const write = (): Promise<unknown> =>
    api.database.pool.query(
      `insert into events (instance_uid, instance_name, controller, reason, message)
       select $1, $2, 'test', 'SpecChanged', n::text from generate_series(1, 5) n`,
      [metadata.uid, metadata.name],
    );
  const first = await follow('/events?follow=1');
  await first.next('the bookmark', isBookmark);
  await write();
  const third = await first.next('the third', message => message.data.message === '3');
  await settle(api.database.pool);
  const again = await follow('/events?follow=1', { 'last-event-id': third.id! });
  await again.next('the bookmark', isBookmark);
  expect(told(again).map(message => message.data.message)).toEqual(['4', '5']);
  const bookmark = await until('a later bookmark', () =>
    first.messages.slice(first.messages.findIndex(m => m.data.message === '5')).find(isBookmark),
  );
  await write();
  await settle(api.database.pool);
  const later = await follow('/events?follow=1', { 'last-event-id': bookmark.id! });
  await later.next('the bookmark', isBookmark);
  expect(told(later).map(message => message.data.message)).toEqual(['1', '2', '3', '4', '5']);
});

test('an id of no stream is 400, one from the future 410', async () => {
  await expect(follow('/events?follow=1', { 'last-event-id': 'x' })).rejects.toMatchObject({ status: 400 });
  await expect(follow('/events?follow=1', { 'last-event-id': '999999999999-1' })).rejects.toMatchObject({
    status: 410,
  });
});

test('followers get every event in one order, whatever order transactions end in', async () => {
  const { metadata } = await declare();
  const client = await follow(`/events?follow=1&limit=1`);
  await client.next('the bookmark', isBookmark);
  const text = `insert into events (instance_uid, instance_name, controller, reason, message) values ($1, $2, 'test', 'SpecChanged', $3)`;
  const early = new pg.Client({ connectionString: api.database.url });
  await early.connect();
  await early.query('begin');
  await early.query(text, [metadata.uid, metadata.name, 'early']);
  await early.query(text, [metadata.uid, metadata.name, 'early, again']);
  await api.database.pool.query(text, [metadata.uid, metadata.name, 'late']);
  // A ring, and time for the look that follows it: what is there already must wait.
  await declare();
  const bookmarks = client.messages.filter(isBookmark).length;
  await until('two more bookmarks', () => client.messages.filter(isBookmark).length >= bookmarks + 2);
  expect(told(client).some(message => message.data.message === 'late')).toBe(false);
  await early.query('commit');
  await early.end();
  await client.next('the late one', message => message.data.message === 'late');
  expect(
    told(client)
      .map(message => message.data.message)
      .filter(message => /early|late/.test(message)),
  ).toEqual(['early', 'early, again', 'late']);

  await Promise.all(
    Array.from({ length: 6 }, async (_, writer) => {
      for (let i = 0; i < 20; i++) await api.database.pool.query(text, [metadata.uid, metadata.name, `${writer}/${i}`]);
    }),
  );
  await until('all of them', () => told(client).filter(message => message.data.message.includes('/')).length === 120);
  const listed = await list(`/mcps/${metadata.name}/events?limit=500`);
  const ids = told(client)
    .map(message => message.data.id)
    .filter(id => listed.items.some(item => item.id === id));
  expect(ids).toEqual(listed.items.map(item => item.id).slice(-ids.length));
});

test('closing the API ends streams and leaves nothing open', async () => {
  const other = await createTestApi();
  await other.app.listen({ port: 0, host: '127.0.0.1' });
  const url = `http://127.0.0.1:${(other.app.server.address() as AddressInfo).port}/api/v1`;
  const clients = await Promise.all([
    openSse(`${url}/events?follow=1`, other.adminToken),
    openSse(`${url}/mcps?watch=1`, other.adminToken),
  ]);
  for (const client of clients) await client.next('the bookmark', isBookmark);
  await other.close();
  for (const client of clients) await until('over', () => client.isOver);
});
