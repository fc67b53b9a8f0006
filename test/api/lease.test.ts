import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Instance } from '../../specs/instance.ts';
import { createTestApi, sortedStatuses } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { endLeaseNow, writePhase } from '../support/observed.ts';
import { readAllRows, readRow } from '../support/rows.ts';
import { until } from '../support/until.ts';

let api: TestApi;
let names = 0;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(async () => {
  await api.close();
});

const stdio = { type: 'stdio', config: { command: ['cat'] } };

async function declare(spec: object = { ...stdio, ttl: '1h' }): Promise<Instance> {
  const response = await api.ask('PUT', `/api/v1/mcps/i-${++names}`, { spec });
  return response.json<Instance>();
}
const act = (name: string, action: string, body?: unknown) => api.ask('POST', `/api/v1/mcps/${name}/${action}`, body);
const secondsFromNow = (time: string | null): number => Math.round((Date.parse(time!) - Date.now()) / 1000);
const tokenVersion = async (uid: string): Promise<unknown> =>
  (await readRow(api.database.pool, 'select version from instance_tokens where instance_uid = $1', uid))['version'];
const lastEvent = (uid: string) =>
  readRow(api.database.pool, 'select * from events where instance_uid = $1 order by id desc limit 1', uid);
const processGeneration = async (name: string): Promise<unknown> =>
  (await readRow(api.database.pool, 'select process_generation from instances where name = $1', name))[
    'process_generation'
  ];

test('extend sets the end from now on, to a time, or to never', async () => {
  const { metadata } = await declare();
  const byTtl = await act(metadata.name, 'extend', { ttl: '5h' });
  expect([byTtl.statusCode, byTtl.json().metadata.generation]).toEqual([200, 2]);
  expect(byTtl.headers['etag']).toBe(`"${byTtl.json().metadata.resourceVersion}"`);
  expect(Math.abs(secondsFromNow(byTtl.json().spec.expiresAt) - 18_000)).toBeLessThan(5);
  const byTime = await act(metadata.name, 'extend', { expiresAt: '2999-01-01T00:00:00Z' });
  expect(byTime.json().spec.expiresAt).toBe('2999-01-01T00:00:00.000Z');
  const never = await act(metadata.name, 'extend', { expiresAt: null });
  expect(never.json()).toMatchObject({ metadata: { generation: 4 }, spec: { expiresAt: null } });
  expect(await lastEvent(metadata.uid)).toMatchObject({
    reason: 'Extended',
    controller: 'api',
    from_phase: null,
    to_phase: null,
    data: { generation: 4, expiresAt: null },
  });
  // The process goes on, and so does its token.
  expect([await processGeneration(metadata.name), await tokenVersion(metadata.uid)]).toEqual([1, 1]);
});

test('extend to the end that it has changes nothing', async () => {
  const { metadata, spec } = await declare();
  const before = await readAllRows(api.database.pool);
  expect((await act(metadata.name, 'extend', { expiresAt: spec.expiresAt })).statusCode).toBe(200);
  expect(await readAllRows(api.database.pool)).toEqual(before);
});

test('an ended lease cannot be extended but restored, by the clock of the database alone', async () => {
  const { metadata } = await declare();
  await endLeaseNow(api.database.pool, metadata.name);
  const before = await readAllRows(api.database.pool);
  const refused = await act(metadata.name, 'extend', { ttl: '1h' });
  expect([refused.statusCode, refused.json().type]).toEqual([409, 'urn:minimcp:problem:lease-ended']);
  expect(refused.json().detail).toContain('use restore');
  expect((await act(metadata.name, 'restart')).statusCode).toBe(409);
  expect(await readAllRows(api.database.pool)).toEqual(before);

  const restored = await act(metadata.name, 'restore', { ttl: '2h' });
  expect(restored.statusCode).toBe(200);
  expect(restored.json()).toMatchObject({ metadata: { generation: 2 }, spec: { running: true } });
  expect(Math.abs(secondsFromNow(restored.json().spec.expiresAt) - 7200)).toBeLessThan(5);
  expect([await processGeneration(metadata.name), await tokenVersion(metadata.uid)]).toEqual([2, 2]);
  expect(await lastEvent(metadata.uid)).toMatchObject({ reason: 'Restored', data: { generation: 2 } });
});

test('restore brings back what was stopped by hand, or came to its end by itself', async () => {
  const stopped = await declare({ ...stdio, running: false });
  const restored = await act(stopped.metadata.name, 'restore', { expiresAt: null });
  expect(restored.json()).toMatchObject({ metadata: { generation: 2 }, spec: { running: true, expiresAt: null } });
  expect(await tokenVersion(stopped.metadata.uid)).toBe(2);

  const ended = await declare({ ...stdio, restart: 'never' });
  await writePhase(api.database.pool, ended.metadata.uid, 'Stopped');
  expect((await act(ended.metadata.name, 'restore', { ttl: '1h' })).statusCode).toBe(200);
  // It had ended by its restart policy, which holds for a generation of the process.
  expect(await processGeneration(ended.metadata.name)).toBe(2);
});

test('restore of what neither ended nor stopped says to extend', async () => {
  const { metadata } = await declare();
  const before = await readAllRows(api.database.pool);
  const refused = await act(metadata.name, 'restore', { ttl: '1h' });
  expect([refused.statusCode, refused.json().type]).toEqual([409, 'urn:minimcp:problem:lease-holds']);
  expect(refused.json().detail).toContain('use extend');
  expect(await readAllRows(api.database.pool)).toEqual(before);
});

test('restore into the past is refused', async () => {
  const { metadata } = await declare();
  await endLeaseNow(api.database.pool, metadata.name);
  const before = await readAllRows(api.database.pool);
  const refused = await act(metadata.name, 'restore', { expiresAt: '2020-01-01T00:00:00Z' });
  expect([refused.statusCode, refused.json().errors[0].pointer]).toEqual([422, '/expiresAt']);
  expect(await readAllRows(api.database.pool)).toEqual(before);
});

test('restart is a new generation of the process and nothing else', async () => {
  const { metadata, spec } = await declare();
  const response = await act(metadata.name, 'restart');
  expect(response.statusCode).toBe(200);
  expect(response.json()).toMatchObject({ metadata: { generation: 2 }, spec });
  expect([await processGeneration(metadata.name), await tokenVersion(metadata.uid)]).toEqual([2, 1]);
  expect(await lastEvent(metadata.uid)).toMatchObject({ reason: 'SpecChanged', message: 'A restart was asked for' });
  expect((await act(metadata.name, 'restart', {})).json().metadata.generation).toBe(3);
});

test('restart of what is stopped by hand says to restore', async () => {
  const { metadata } = await declare({ ...stdio, running: false });
  const refused = await act(metadata.name, 'restart');
  expect([refused.statusCode, refused.json().type]).toEqual([409, 'urn:minimcp:problem:stopped']);
});

test('extend and restore at once: each sees the lease as the other left it', async () => {
  for (let round = 0; round < 10; round++) {
    const { metadata } = await declare();
    await endLeaseNow(api.database.pool, metadata.name);
    const [extend, ...restores] = await Promise.all([
      act(metadata.name, 'extend', { ttl: '3h' }),
      act(metadata.name, 'restore', { ttl: '2h' }),
      act(metadata.name, 'restore', { ttl: '2h' }),
    ]);
    // One restore only: after it the lease holds, and extend may come before or after it.
    expect(sortedStatuses(restores)).toEqual([200, 409]);
    expect([200, 409]).toContain(extend.statusCode);
    expect(await tokenVersion(metadata.uid)).toBe(2);
    const { rows } = await api.database.pool.query<{ reason: string }>(
      'select reason from events where instance_uid = $1 order by id',
      [metadata.uid],
    );
    expect(rows.map(row => row.reason)).toEqual(
      extend.statusCode === 200 ? ['Declared', 'Restored', 'Extended'] : ['Declared', 'Restored'],
    );
    expect(await readRow(api.database.pool, 'select generation from instances where name = $1', metadata.name)).toEqual(
      {
        generation: rows.length,
      },
    );
  }
});

test('a lease that ends while its extension waits for another write has ended', async () => {
  const { metadata } = await declare({ ...stdio, expiresAt: new Date(Date.now() + 1_000).toISOString() });
  const { pool } = api.database;
  const blocker = await pool.connect();
  await blocker.query('begin');
  await blocker.query('select from instances where uid = $1 for update', [metadata.uid]);
  const extending = act(metadata.name, 'extend', { ttl: '1h' });
  await until('it waits, and the lease ends', async () => {
    const { rows } = await pool.query(
      `select from pg_stat_activity, instances where datname = current_database() and wait_event_type = 'Lock'
         and uid = $1 and expires_at <= now()`,
      [metadata.uid],
    );
    return rows.length > 0;
  });
  await blocker.query('commit');
  blocker.release();
  expect((await extending).statusCode).toBe(409);
});

test('extend against an expiry controller: whoever comes second sees the first', async () => {
  const { pool } = api.database;
  for (let round = 0; round < 10; round++) {
    const end = Date.now() + 300;
    const { metadata } = await declare({ ...stdio, expiresAt: new Date(end).toISOString() });
    const extendAround = async () => {
      await new Promise(resolve => setTimeout(resolve, end - Date.now() - 10 + round * 2));
      return await act(metadata.name, 'extend', { ttl: '3h' });
    };
    const expire = async (): Promise<void> => {
      while (Date.now() < end + 100) {
        await pool.query(
          `insert into expiries (instance_uid, expires_at, generation)
           select uid, expires_at, generation from instances where uid = $1 and expires_at <= now() for update
           on conflict do nothing`,
          [metadata.uid],
        );
      }
    };
    const [extend] = await Promise.all([extendAround(), expire()]);
    const { rows } = await pool.query(
      'select from expiries e join instances i on i.uid = e.instance_uid and i.expires_at = e.expires_at where i.uid = $1',
      [metadata.uid],
    );
    // Never both: an extension that was confirmed, and an expiry of the lease that it replaced.
    if (extend.statusCode === 200) expect(rows).toHaveLength(0);
    else
      expect([extend.statusCode, extend.json().type, rows.length]).toEqual([409, 'urn:minimcp:problem:lease-ended', 1]);
  }
});
