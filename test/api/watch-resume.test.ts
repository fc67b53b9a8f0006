import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { settle } from '../support/settle.ts';
import type { SseClient, SseMessage } from '../support/sse.ts';
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

test('Last-Event-ID and resourceVersion resume: what changed since, and what was deleted', async () => {
  const [kept, changed, gone] = [await w.declare(), await w.declare(), await w.declare()];
  await settle(w.api.database.pool);
  const first = await w.watch();
  await first.next('the bookmark', isBookmark);
  first.close();
  const at = first.lastId!;
  await w.patch(changed.metadata.name, { restart: 'never' });
  await w.erase(gone.metadata.name);
  const fresh = await w.declare();
  const brief = await w.declare();
  await w.erase(brief.metadata.name);
  await settle(w.api.database.pool);
  for (const client of [await w.watch('', { 'last-event-id': at }), await w.watch(`&resourceVersion=${at}`)]) {
    await client.next('the bookmark', isBookmark);
    const told = client.messages.slice(0, client.messages.findIndex(isBookmark));
    expect(told.map(message => [message.event, message.data.metadata.name])).toEqual([
      ['modified', changed.metadata.name],
      ['deleted', gone.metadata.name],
      ['added', fresh.metadata.name],
    ]);
    expect(told.some(about(kept.metadata.name))).toBe(false);
  }
});

test('the version of an object that was just written is a place to watch from', async () => {
  const { metadata } = await w.declare();
  const client = await w.watch(`&resourceVersion=${metadata.resourceVersion}`);
  const changed = await w.patch(metadata.name, { restart: 'never' });
  await client.next('the change', message => message.id === changed.metadata.resourceVersion);
});

test.each(['x', '-1', '1.5', '9'.repeat(20)])('Last-Event-ID %s is 400', async id => {
  await expect(w.watch('', { 'last-event-id': id })).rejects.toMatchObject({ status: 400 });
});

test('a version from the future, and one from before tombstones were forgotten, are 410', async () => {
  await expect(w.watch('', { 'last-event-id': '999999999999' })).rejects.toMatchObject({
    status: 410,
    body: { type: 'urn:minimcp:problem:history-gone' },
  });
  const { metadata } = await w.declare();
  const client = await w.watch();
  await client.next('the bookmark', isBookmark);
  const before = client.lastId!;
  await w.erase(metadata.name);
  const deleted = await client.next('deleted', about(metadata.name, 'deleted'));
  // What cleanup does after an hour.
  await w.api.database.pool.query('delete from changes where instance_uid = $1', [metadata.uid]);
  await expect(w.watch('', { 'last-event-id': before })).rejects.toMatchObject({ status: 410 });
  await (await w.watch('', { 'last-event-id': deleted.id! })).next('the bookmark', isBookmark);
  await (await w.watch()).next('the bookmark', isBookmark);
});

test('after a restore into another server old versions are 410', async () => {
  const { metadata } = await w.declare();
  const { pool } = w.api.database;
  await pool.query('update changes set resource_version = resource_version - 1 where instance_uid = $1', [
    metadata.uid,
  ]);
  const early = String(Number(metadata.resourceVersion) - 2);
  await expect(w.watch('', { 'last-event-id': early })).rejects.toMatchObject({ status: 410 });
});

test('who resumes with a filter hears of what left it meanwhile', async () => {
  const leaver = await w.declare({ team: 'x' });
  await settle(w.api.database.pool);
  const client = await w.watch('&label=team=x');
  await client.next('the bookmark', isBookmark);
  client.close();
  await w.relabel(leaver.metadata.name, { team: 'y' });
  const newcomer = await w.declare({ team: 'y' });
  await settle(w.api.database.pool);
  const again = await w.watch('&label=team=x', { 'last-event-id': client.lastId! });
  await again.next('the bookmark', isBookmark);
  expect(again.messages.some(about(leaver.metadata.name, 'deleted'))).toBe(true);
  expect(again.messages.some(about(newcomer.metadata.name))).toBe(false);
});

test('what is above a transaction that still runs is told in the beginning, without an id, and once', async () => {
  const blocker = new pg.Client({ connectionString: w.api.database.url });
  await blocker.connect();
  await blocker.query('begin');
  await blocker.query('select pg_current_xact_id()');
  const client = await w.watch();
  await client.next('the first bookmark', isBookmark);
  const late = await w.declare();
  const early = await w.watch();
  await early.next('the bookmark', isBookmark);
  expect(early.messages.filter(about(late.metadata.name))).toMatchObject([{ event: 'added', id: null }]);
  // The one that was there before must wait: nobody knows what the transaction will bring.
  expect(client.messages.some(about(late.metadata.name))).toBe(false);
  // Who resumes now must get it once more, after the transaction.
  const resumed = await w.watch('', { 'last-event-id': early.lastId! });
  await blocker.query('commit');
  await blocker.end();
  for (const each of [client, resumed]) {
    expect(await each.next('the late one', about(late.metadata.name))).toMatchObject({
      event: 'added',
      id: late.metadata.resourceVersion,
    });
  }
  const after = await w.declare();
  await early.next('the next one', about(after.metadata.name, 'added'));
  expect(early.messages.filter(about(late.metadata.name))).toHaveLength(1);
});

test('objects that one transaction changed share an id, which only the last of them carries', async () => {
  const three = [await w.declare(), await w.declare(), await w.declare()].map(({ metadata }) => metadata.name);
  const client = await w.watch();
  await client.next('the bookmark', isBookmark);
  const from = client.messages.length;
  await w.api.database.pool.query(`update instances set labels = '{"all":"1"}' where name = any($1)`, [three]);
  await until('all three', () => three.every(name => client.messages.some(about(name, 'modified'))));
  const ids = client.messages
    .slice(from)
    .filter(message => !isBookmark(message))
    .map(message => message.id);
  expect(ids.map(id => id === null)).toEqual([true, true, false]);
});

test('a transaction that fills more than a page is one step to resume after', async () => {
  const { rows } = await w.api.database.pool.query(
    `with made as (
       insert into instances (uid, name, type, labels)
       select gen_random_uuid(), 'bulk-' || n, 'stdio', '{"bulk": "1"}' from generate_series(1, 1100) n returning desired_version
     ) select distinct desired_version as version from made`,
  );
  const version = String(rows[0].version);
  await settle(w.api.database.pool);
  const client = await w.watch('&label=bulk=1');
  await client.next('the bookmark', isBookmark);
  const told = client.messages.slice(0, client.messages.findIndex(isBookmark));
  expect(told).toHaveLength(1100);
  expect(told.filter(message => message.id !== null).map(message => message.id)).toEqual([version]);
  expect(told.at(-1)!.id).toBe(version);
  await w.api.database.pool.query(`delete from instances where name like 'bulk-%'`);
});

test('from a version above a running transaction, that one is told as well', async () => {
  const before = await w.declare();
  const blocker = new pg.Client({ connectionString: w.api.database.url });
  await blocker.connect();
  await blocker.query('begin');
  await blocker.query(`update instances set labels = '{"slow":"1"}' where uid = $1`, [before.metadata.uid]);
  const late = await w.declare();
  const client = await w.watch(`&resourceVersion=${late.metadata.resourceVersion}`);
  await client.next('the bookmark', isBookmark);
  await blocker.query('commit');
  await blocker.end();
  const slow = await client.next('the slow one', about(before.metadata.name, 'modified'));
  expect(Number(slow.id)).toBeLessThan(Number(late.metadata.resourceVersion));
});

test('resuming again and again under many writers misses nothing', async () => {
  const watched: Record<string, number> = {};
  const apply = (message: SseMessage): void => {
    if (isBookmark(message)) return;
    const { name, resourceVersion } = message.data.metadata;
    if (!name.startsWith('c-')) return;
    if (message.event === 'deleted') {
      delete watched[name];
    } else {
      // Never back to an older state.
      expect(Number(resourceVersion)).toBeGreaterThanOrEqual(watched[name] ?? 0);
      watched[name] = Number(resourceVersion);
    }
  };
  let writing = true;
  const following = (async () => {
    let at: string | null = null;
    for (;;) {
      const isLast = !writing;
      const client: SseClient = await w.watch('', at === null ? {} : { 'last-event-id': at });
      // Sometimes in the middle of the beginning, sometimes after it.
      if (isLast) await client.next('the bookmark', isBookmark);
      else await until('a message', () => client.messages.length > 0);
      client.close();
      for (const message of client.messages) apply(message);
      at = client.lastId ?? at;
      if (isLast) return;
    }
  })();
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    for (let i = 0; i < 40; i++) {
      const name = `c-${writer}-${i % 10}`;
      const response = await w.api.ask('PUT', `/api/v1/mcps/${name}`, {
        spec: { type: 'stdio', config: { command: ['cat'] }, resources: { memoryMiB: 64 + i } },
      });
      expect([200, 201]).toContain(response.statusCode);
      if (i % 7 === 6) await w.erase(name);
    }
  });
  await Promise.all(writers);
  await settle(w.api.database.pool);
  writing = false;
  await following;
  const { rows } = await w.api.database.pool.query(
    `select instance_name, resource_version from changes where instance_name like 'c-%' and deleted_at is null`,
  );
  expect(watched).toEqual(Object.fromEntries(rows.map(row => [row.instance_name, row.resource_version])));
});
