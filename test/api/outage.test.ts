import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { problem } from '../../specs/problem.ts';
import { isOutage } from '../../src/db/outage.ts';
import { createTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { createDatabaseProxy } from '../support/database-proxy.ts';
import type { DatabaseProxy } from '../support/database-proxy.ts';
import { openSse } from '../support/sse.ts';
import { until } from '../support/until.ts';

let api: TestApi;
let proxy: DatabaseProxy;
let base: string;
const spec = { type: 'stdio', config: { command: ['cat'] } };

beforeAll(async () => {
  api = await createTestApi({}, { bookmarkMs: 200 }, async url => (proxy = await createDatabaseProxy(url)).url);
  await api.app.listen({ port: 0, host: '127.0.0.1' });
  base = `http://127.0.0.1:${(api.app.server.address() as AddressInfo).port}/api/v1`;
  await api.ask('PUT', '/api/v1/mcps/before', { spec });
});
afterAll(async () => {
  await api.close();
  await proxy.close();
});

const everything = [
  ['GET', '/api/v1/mcps'],
  ['GET', '/api/v1/mcps/before'],
  ['GET', '/api/v1/mcps?watch=1'],
  ['GET', '/api/v1/events?follow=1'],
  ['POST', '/api/v1/mcps', { spec }],
  ['PUT', '/api/v1/mcps/before', { spec }],
  ['DELETE', '/api/v1/mcps/before'],
  ['GET', '/api/v1/types'],
] as const;

test('without the database: 503 and Retry-After, alive but not ready; then everything works again by itself', async () => {
  const watch = await openSse(`${base}/mcps?watch=1`, api.adminToken);
  const follow = await openSse(`${base}/events?follow=1`, api.adminToken);
  await watch.next('the bookmark', message => message.event === 'bookmark');
  await follow.next('the bookmark', message => message.event === 'bookmark');
  for (let round = 0; round < 2; round++) {
    await proxy.cut();
    for (const [method, url, body] of everything) {
      const response = await api.ask(method, url, body);
      expect([url, response.statusCode, response.headers['retry-after']]).toEqual([url, 503, '2']);
      expect(problem.parse(response.json())).toMatchObject({ type: 'urn:minimcp:problem:database-unavailable' });
      // Nothing of where the database is or how it failed.
      expect(response.body).not.toMatch(/ECONN|127\.0\.0\.1|postgres/);
    }
    expect((await api.ask('GET', '/livez')).statusCode).toBe(200);
    expect((await api.ask('GET', '/')).statusCode).toBe(200);
    const ready = await api.ask('GET', '/readyz');
    expect([ready.statusCode, ready.headers['retry-after']]).toEqual([503, '2']);

    await proxy.mend();
    await until('ready again', async () => (await api.ask('GET', '/readyz')).statusCode === 200);
    expect((await api.ask('GET', '/api/v1/mcps/before')).statusCode).toBe(200);
    // Streams were not broken off, and go on.
    const name = `after-${round}`;
    expect((await api.ask('PUT', `/api/v1/mcps/${name}`, { spec })).statusCode).toBe(201);
    await watch.next('added', message => message.event === 'added' && message.data.metadata.name === name);
    await follow.next('Declared', message => message.event === 'event' && message.data.instance.name === name);
  }
  expect([watch.isOver, follow.isOver]).toEqual([false, false]);
  watch.close();
  follow.close();
});

test('a database that swallows everything makes readyz fail in time', async () => {
  proxy.freeze();
  const started = performance.now();
  expect((await api.ask('GET', '/readyz')).statusCode).toBe(503);
  expect(performance.now() - started).toBeLessThan(6_000);
  await proxy.cut();
  await proxy.mend();
  await until('ready again', async () => (await api.ask('GET', '/readyz')).statusCode === 200);
});

test('a write that the server ends in the middle is 503 and leaves nothing', async () => {
  const blocker = await api.database.pool.connect();
  await blocker.query('begin');
  await blocker.query(`select from instances where name = 'before' for update`);
  const writing = api.ask('PATCH', '/api/v1/mcps/before', { spec: { running: false } });
  await until('it waits for the row', async () => {
    const { rows } = await api.database.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock' and query like '%for update%'`,
    );
    return rows.length > 0;
  });
  expect((await writing).statusCode).toBe(503);
  await blocker.query('rollback');
  blocker.release();
  expect((await api.ask('GET', '/api/v1/mcps/before')).json().spec.running).toBe(true);
});

test('an outage is told from a fault of ours', () => {
  const withCode = (code: string, syscall?: string) => Object.assign(new Error('x'), { code, syscall });
  for (const error of [
    withCode('ECONNREFUSED'),
    withCode('ENOENT', 'connect'),
    withCode('57P01'),
    withCode('57P03'),
    withCode('08006'),
    withCode('53300'),
    withCode('25006'),
    withCode('40001'),
    new Error('Connection terminated unexpectedly'),
    new AggregateError([withCode('ECONNREFUSED')]),
  ]) {
    expect(isOutage(error)).toBe(true);
  }
  for (const error of [withCode('ENOENT', 'open'), withCode('23505'), withCode('22P02'), new Error('no'), 'no', null]) {
    expect(isOutage(error)).toBe(false);
  }
});
