import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Instance } from '../../specs/instance.ts';
import { createTestApi, sortedStatuses } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { writePhase } from '../support/observed.ts';
import { readAllRows, readRow } from '../support/rows.ts';

let api: TestApi;
let names = 0;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(async () => {
  await api.close();
});

const stdio = { type: 'stdio', config: { command: ['cat'] } };
const newName = (): string => `i-${++names}`;
const put = (name: string, body: unknown, headers = {}) => api.ask('PUT', `/api/v1/mcps/${name}`, body, headers);
const patch = (name: string, body: unknown, headers = {}) => api.ask('PATCH', `/api/v1/mcps/${name}`, body, headers);

async function declare(spec: object = stdio, labels = {}): Promise<Instance> {
  const response = await put(newName(), { metadata: { labels }, spec });
  expect(response.statusCode).toBe(201);
  return response.json<Instance>();
}

const generations = (name: string) =>
  readRow(api.database.pool, 'select generation, process_generation, ttl from instances where name = $1', name);
const reasons = async (uid: string): Promise<unknown[]> =>
  (await api.database.pool.query('select reason from events where instance_uid = $1 order by id', [uid])).rows.map(
    row => row.reason,
  );

test('the uid of another instance is a conflict, its own is none', async () => {
  const { metadata } = await declare();
  const other = await declare();
  const before = await readAllRows(api.database.pool);
  for (const response of [
    await put(metadata.name, { metadata: { uid: other.metadata.uid }, spec: { ...stdio, running: false } }),
    await patch(metadata.name, { metadata: { uid: other.metadata.uid }, spec: { running: false } }),
  ]) {
    expect([response.statusCode, response.json().type]).toEqual([409, 'urn:minimcp:problem:uid-mismatch']);
  }
  expect(await readAllRows(api.database.pool)).toEqual(before);
  expect((await put(metadata.name, { metadata: { uid: metadata.uid }, spec: stdio })).statusCode).toBe(200);
});

test('nothing is changed of an instance that is being deleted', async () => {
  const { metadata } = await declare({ ...stdio, ttl: '1h' });
  await api.ask('DELETE', `/api/v1/mcps/${metadata.name}`);
  const before = await readAllRows(api.database.pool);
  for (const response of [
    await put(metadata.name, { spec: stdio }),
    await patch(metadata.name, { spec: { running: false } }),
    await api.ask('POST', `/api/v1/mcps/${metadata.name}/extend`, { ttl: '1h' }),
    await api.ask('POST', `/api/v1/mcps/${metadata.name}/restore`, { ttl: '1h' }),
    await api.ask('POST', `/api/v1/mcps/${metadata.name}/restart`),
    await api.ask('POST', `/api/v1/mcps/${metadata.name}/access/rotate`),
    await api.ask('GET', `/api/v1/mcps/${metadata.name}/access`),
  ]) {
    expect([response.statusCode, response.json().type]).toEqual([409, 'urn:minimcp:problem:being-deleted']);
  }
  expect(await readAllRows(api.database.pool)).toEqual(before);
});

test('If-Match: a write in between is a conflict, a report of a controller is none', async () => {
  const { metadata } = await declare();
  const etag = `"${metadata.resourceVersion}"`;
  await writePhase(api.database.pool, metadata.uid, 'Stopped');
  const now = (await api.ask('GET', `/api/v1/mcps/${metadata.name}`)).json<Instance>();
  expect(now.metadata.resourceVersion).not.toBe(metadata.resourceVersion);
  const seen = await patch(metadata.name, {}, { 'if-match': `"${now.metadata.resourceVersion}"` });
  expect(seen.statusCode).toBe(200);
  const first = await put(metadata.name, { spec: { ...stdio, restart: 'never' } }, { 'if-match': etag });
  expect(first.statusCode).toBe(200);
  const before = await readAllRows(api.database.pool);
  for (const stale of [etag, `W/${etag}`, metadata.resourceVersion, '"nonsense"', '""', `${etag}, "1"`]) {
    for (const response of [
      await put(metadata.name, { spec: stdio }, { 'if-match': stale }),
      await patch(metadata.name, { spec: { running: false } }, { 'if-match': stale }),
      await api.ask('DELETE', `/api/v1/mcps/${metadata.name}`, undefined, { 'if-match': stale }),
    ]) {
      expect([stale, response.statusCode, response.json().type]).toEqual([
        stale,
        412,
        'urn:minimcp:problem:precondition-failed',
      ]);
    }
  }
  expect(await readAllRows(api.database.pool)).toEqual(before);
  const fresh = first.headers['etag'] as string;
  for (const good of [fresh, `W/${fresh}`, fresh.replaceAll('"', ''), '*', `"1", ${fresh}`]) {
    expect((await patch(metadata.name, {}, { 'if-match': good })).statusCode).toBe(200);
  }
});

test('If-Match on what does not exist is 412 and creates nothing', async () => {
  const before = await readAllRows(api.database.pool);
  for (const tag of ['*', '"1"']) {
    expect((await put('never-there', { spec: stdio }, { 'if-match': tag })).statusCode).toBe(412);
    expect((await patch('never-there', {}, { 'if-match': tag })).statusCode).toBe(412);
    expect((await api.ask('DELETE', '/api/v1/mcps/never-there', undefined, { 'if-match': tag })).statusCode).toBe(412);
  }
  expect(await readAllRows(api.database.pool)).toEqual(before);
});

test('If-None-Match: * on PUT creates only', async () => {
  const name = newName();
  expect((await put(name, { spec: stdio }, { 'if-none-match': '*' })).statusCode).toBe(201);
  const before = await readAllRows(api.database.pool);
  expect((await put(name, { spec: { ...stdio, running: false } }, { 'if-none-match': '*' })).statusCode).toBe(412);
  expect((await put(name, { spec: stdio }, { 'if-none-match': '"7"' })).statusCode).toBe(400);
  expect(await readAllRows(api.database.pool)).toEqual(before);
});

test('GET with the version at hand is 304 without a body', async () => {
  const { metadata } = await declare();
  const etag = `"${metadata.resourceVersion}"`;
  for (const tag of [etag, `W/${etag}`, '*', `"1", ${etag}`]) {
    const response = await api.ask('GET', `/api/v1/mcps/${metadata.name}`, undefined, { 'if-none-match': tag });
    expect([response.statusCode, response.body, response.headers['etag']]).toEqual([304, '', etag]);
  }
  await patch(metadata.name, { spec: { restart: 'never' } });
  expect((await api.ask('GET', `/api/v1/mcps/${metadata.name}`, undefined, { 'if-none-match': etag })).statusCode).toBe(
    200,
  );
});

test('many PUTs of a new name at once: one creates, the others change or leave it', async () => {
  const name = newName();
  const responses = await Promise.all(
    Array.from({ length: 10 }, (_, i) => put(name, { spec: { ...stdio, resources: { memoryMiB: 64 + i } } })),
  );
  expect(sortedStatuses(responses)).toEqual([...Array<number>(9).fill(200), 201]);
  const final = (await api.ask('GET', `/api/v1/mcps/${name}`)).json<Instance>();
  expect(final.metadata.generation).toBe(10);
  expect(await generations(name)).toMatchObject({ process_generation: 10 });
  expect(await reasons(final.metadata.uid)).toEqual(['Declared', ...Array<string>(9).fill('SpecChanged')]);
});

test('of two PUTs with the same If-Match one wins', async () => {
  const { metadata } = await declare();
  const headers = { 'if-match': `"${metadata.resourceVersion}"` };
  const responses = await Promise.all(
    Array.from({ length: 6 }, (_, i) =>
      put(metadata.name, { spec: { ...stdio, resources: { memoryMiB: 64 + i } } }, headers),
    ),
  );
  expect(sortedStatuses(responses)).toEqual([200, ...Array<number>(5).fill(412)]);
  expect(await generations(metadata.name)).toMatchObject({ generation: 2 });
});

test('writes beside a controller that reports all the time all come through', async () => {
  const { metadata } = await declare();
  const reporting = (async () => {
    for (let i = 0; i < 20; i++) await writePhase(api.database.pool, metadata.uid, i % 2 === 0 ? 'Stopped' : 'Pending');
  })();
  const responses = [];
  for (let i = 0; i < 20; i++)
    responses.push(await patch(metadata.name, { spec: { resources: { memoryMiB: 64 + i } } }));
  await reporting;
  expect(responses.map(response => response.statusCode)).toEqual(Array<number>(20).fill(200));
  expect(await generations(metadata.name)).toMatchObject({ generation: 21 });
});
