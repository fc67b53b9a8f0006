import { afterAll, beforeAll, expect, test } from 'vitest';
import { generateToken, hashToken } from '../../src/secrets/api-token.ts';
import { createTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { readAllRows, readRow } from '../support/rows.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(async () => {
  await api.close();
});

const body = { spec: { type: 'stdio', config: { command: ['cat'] }, ttl: '1h' } };
const post = (key: string, payload: unknown = body, headers = {}) =>
  api.ask('POST', '/api/v1/mcps', payload, { 'idempotency-key': key, ...headers });
const countInstances = async (): Promise<unknown> =>
  (await readRow(api.database.pool, 'select count(*) as n from instances'))['n'];

test('the same request again gets the first answer and makes nothing', async () => {
  const first = await post('once');
  expect([first.statusCode, first.headers['idempotent-replayed']]).toEqual([201, undefined]);
  const before = await readAllRows(api.database.pool);
  // However it is spaced.
  for (const payload of [body, JSON.stringify(body, null, 2)]) {
    const again = await post('once', payload);
    expect(again.json()).toEqual(first.json());
    expect(again.statusCode).toBe(201);
    expect(again.headers).toMatchObject({
      'idempotent-replayed': 'true',
      location: first.headers['location'],
      etag: first.headers['etag'],
    });
  }
  expect(await readAllRows(api.database.pool)).toEqual(before);
});

test('the answer stays when the instance has changed or gone', async () => {
  const first = await post('kept');
  await api.ask('PATCH', first.headers['location'] as string, { spec: { running: false } });
  expect((await post('kept')).json()).toEqual(first.json());
  await api.database.pool.query('update instances set deletion_requested_at = now() where name = $1', [
    first.json().metadata.name,
  ]);
  await api.database.pool.query('delete from instances where name = $1', [first.json().metadata.name]);
  expect((await post('kept')).json()).toEqual(first.json());
});

test('another body under the key is refused', async () => {
  await post('other');
  const before = await readAllRows(api.database.pool);
  const response = await post('other', { spec: { ...body.spec, ttl: '2h' } });
  expect([response.statusCode, response.json().type]).toEqual([422, 'urn:minimcp:problem:idempotency-key-reused']);
  expect(await readAllRows(api.database.pool)).toEqual(before);
});

test('a key belongs to its token', async () => {
  const token = generateToken('mmcp_');
  await api.database.pool.query(`insert into tokens (name, hash, scopes) values ('second', $1, '{write}')`, [
    hashToken(token),
  ]);
  const first = await post('shared');
  const second = await post('shared', body, { authorization: `Bearer ${token}` });
  expect(second.statusCode).toBe(201);
  expect(second.json().metadata.uid).not.toBe(first.json().metadata.uid);
});

test('a failure is not kept: the same key works once the fault is mended', async () => {
  const named = { metadata: { name: 'busy' }, ...body };
  await api.ask('PUT', '/api/v1/mcps/busy', body);
  const before = await readAllRows(api.database.pool);
  expect((await post('failed', named)).statusCode).toBe(409);
  expect((await post('failed', { spec: { type: 'none' } })).statusCode).toBe(422);
  expect(await readAllRows(api.database.pool)).toEqual(before);
  await api.database.pool.query(`delete from instances where name = 'busy'`);
  expect((await post('failed', named)).statusCode).toBe(201);
});

test('a dry run keeps no key', async () => {
  const before = await readAllRows(api.database.pool);
  const response = await api.ask('POST', '/api/v1/mcps?dryRun=1', body, { 'idempotency-key': 'dry' });
  expect(response.statusCode).toBe(201);
  expect(await readAllRows(api.database.pool)).toEqual(before);
  expect((await post('dry')).headers['idempotent-replayed']).toBe(undefined);
});

test.each(['', 'a b', 'x'.repeat(256), 'ä'])('the key %j is refused', async key => {
  const before = await countInstances();
  const response = await post(key);
  expect([response.statusCode, response.json().errors[0].pointer]).toEqual([400, 'Idempotency-Key']);
  expect(await countInstances()).toBe(before);
});

test('the same request many times at once makes one instance, and all get its answer', async () => {
  for (let round = 0; round < 5; round++) {
    const before = Number(await countInstances());
    const responses = await Promise.all(Array.from({ length: 10 }, () => post(`storm-${round}`)));
    expect(await countInstances()).toBe(before + 1);
    expect(new Set(responses.map(response => response.json().metadata.uid)).size).toBe(1);
    expect(responses.filter(response => response.headers['idempotent-replayed'] === undefined)).toHaveLength(1);
  }
});
