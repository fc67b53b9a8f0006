import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Instance } from '../../specs/instance.ts';
import { createTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
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

const declare = async (): Promise<Instance> =>
  (
    await api.ask('PUT', `/api/v1/mcps/i-${++names}`, { spec: { type: 'stdio', config: { command: ['cat'] } } })
  ).json<Instance>();
const remove = (name: string, query = '') => api.ask('DELETE', `/api/v1/mcps/${name}${query}`);
const isAskedFor = async (name: string): Promise<boolean> =>
  (await readRow(api.database.pool, 'select deletion_requested_at from instances where name = $1', name))[
    'deletion_requested_at'
  ] !== null;
/** What the process controller does when nothing of the instance is left. */
const finish = (name: string) =>
  api.database.pool.query('delete from instances where name = $1 and deletion_requested_at is not null', [name]);

test('DELETE asks, and asks once', async () => {
  const { metadata } = await declare();
  const first = await remove(metadata.name);
  expect(first.statusCode).toBe(202);
  const { deletionRequestedAt, generation } = first.json().metadata;
  expect(Math.abs(Date.parse(deletionRequestedAt) - Date.now())).toBeLessThan(5_000);
  expect(generation).toBe(1);
  const before = await readAllRows(api.database.pool);
  const second = await remove(metadata.name);
  expect([second.statusCode, second.json()]).toEqual([202, first.json()]);
  expect(await readAllRows(api.database.pool)).toEqual(before);
  // The row is the process controller's to remove.
  expect((await api.ask('GET', `/api/v1/mcps/${metadata.name}`)).statusCode).toBe(200);
  await finish(metadata.name);
  expect((await remove(metadata.name)).statusCode).toBe(404);
});

test('with wait the answer comes when the instance is gone', async () => {
  const { metadata } = await declare();
  const waiting = remove(metadata.name, '?wait=30s');
  await until('the deletion is asked for', () => isAskedFor(metadata.name));
  await finish(metadata.name);
  const response = await waiting;
  expect([response.statusCode, response.json().metadata.uid]).toEqual([200, metadata.uid]);
  expect((await api.ask('GET', `/api/v1/mcps/${metadata.name}`)).statusCode).toBe(404);
});

test('with wait the answer is 202 when the time is up', async () => {
  const { metadata } = await declare();
  const response = await remove(metadata.name, '?wait=50ms');
  expect([response.statusCode, response.json().metadata.name]).toEqual([202, metadata.name]);
});

test('another instance that takes the name meanwhile is not waited for', async () => {
  const { metadata } = await declare();
  const waiting = remove(metadata.name, '?wait=30s');
  await until('the deletion is asked for', () => isAskedFor(metadata.name));
  await finish(metadata.name);
  await api.ask('PUT', `/api/v1/mcps/${metadata.name}`, { spec: { type: 'stdio', config: { command: ['cat'] } } });
  expect((await waiting).statusCode).toBe(200);
});
