import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Instance } from '../../specs/instance.ts';
import { createTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { endLeaseNow } from '../support/observed.ts';
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

test('PUT declares: 201, Location and ETag; then 200', async () => {
  const name = newName();
  const created = await put(name, { spec: stdio });
  expect([created.statusCode, created.headers['location']]).toEqual([201, `/api/v1/mcps/${name}`]);
  expect(created.headers['etag']).toBe(`"${created.json().metadata.resourceVersion}"`);
  const again = await put(name, { spec: stdio });
  expect([again.statusCode, again.headers['location'], again.headers['etag']]).toEqual([
    200,
    undefined,
    created.headers['etag'],
  ]);
});

test.each<[string, object, object]>([
  ['the same body', { ...stdio, ttl: '2h' }, { ...stdio, ttl: '2h' }],
  [
    'defaults said or left out',
    stdio,
    { ...stdio, config: { command: ['cat'], args: [], env: {} }, running: true, restart: 'always' },
  ],
  [
    'another order of names',
    { ...stdio, resources: { memoryMiB: 64, cpus: 1 } },
    { resources: { cpus: 1, memoryMiB: 64 }, ...stdio },
  ],
  [
    'the same time in another zone',
    { ...stdio, expiresAt: '2999-01-01T00:00:00Z' },
    { ...stdio, expiresAt: '2999-01-01T02:00:00.000+02:00' },
  ],
  ['never, said in two ways', { ...stdio, expiresAt: null }, stdio],
])('PUT of %s changes nothing at all', async (_title, first, second) => {
  const { metadata } = await declare(first, { a: 'b' });
  const before = await readAllRows(api.database.pool);
  const response = await put(metadata.name, { metadata: { labels: { a: 'b' } }, spec: second });
  expect(response.statusCode).toBe(200);
  expect(await readAllRows(api.database.pool)).toEqual(before);
});

test('what GET answers can be PUT back and changes nothing', async () => {
  const { metadata } = await declare({ ...stdio, ttl: '2h', resources: { cpus: 0.5 } }, { a: 'b' });
  const before = await readAllRows(api.database.pool);
  const body = (await api.ask('GET', `/api/v1/mcps/${metadata.name}`)).json();
  expect((await put(metadata.name, body)).statusCode).toBe(200);
  expect((await patch(metadata.name, body)).statusCode).toBe(200);
  expect((await patch(metadata.name, {})).statusCode).toBe(200);
  expect(await readAllRows(api.database.pool)).toEqual(before);
});

test('a config stored before its type got a default is the same config', async () => {
  const { metadata } = await declare();
  await api.database.pool.query(`update instances set config = config - 'isolation' where name = $1`, [metadata.name]);
  const before = await readAllRows(api.database.pool);
  expect((await put(metadata.name, { spec: stdio })).statusCode).toBe(200);
  expect(await readAllRows(api.database.pool)).toEqual(before);
});

test.each<[string, object, object, boolean]>([
  ['config', stdio, { ...stdio, config: { command: ['cat', '-u'] } }, true],
  ['resources', stdio, { ...stdio, resources: { memoryMiB: 64 } }, true],
  ['apiKey', stdio, { ...stdio, apiKey: 'k' }, true],
  ['type', stdio, { type: 'github', apiKey: 'k' }, true],
  ['running', stdio, { ...stdio, running: false }, false],
  ['restart', stdio, { ...stdio, restart: 'never' }, false],
  ['expiresAt', stdio, { ...stdio, expiresAt: '2999-01-01T00:00:00Z' }, false],
  ['expiresAt', { ...stdio, ttl: '1h' }, { ...stdio, ttl: '2h' }, false],
  ['expiresAt', { ...stdio, ttl: '1h' }, stdio, false],
])(
  'a change of %s is a new generation; of the process only if it is made of that',
  async (field, first, second, isProcess) => {
    const { metadata } = await declare(first);
    const changed = (await put(metadata.name, { spec: second })).json<Instance>();
    expect(changed.metadata.generation).toBe(2);
    expect(Number(changed.metadata.resourceVersion)).toBeGreaterThan(Number(metadata.resourceVersion));
    expect(await generations(metadata.name)).toMatchObject({ generation: 2, process_generation: isProcess ? 2 : 1 });
    expect(
      await readRow(
        api.database.pool,
        `select * from events where instance_uid = $1 and reason = 'SpecChanged'`,
        metadata.uid,
      ),
    ).toMatchObject({
      controller: 'api',
      node: null,
      from_phase: null,
      to_phase: null,
      data: { generation: 2, fields: field === 'type' ? ['type', 'apiKey', 'config'] : [field] },
    });
    // A second change of something else leaves what the process is made of.
    await patch(metadata.name, { spec: { restart: 'on-failure' } });
    expect(await generations(metadata.name)).toMatchObject({ generation: 3, process_generation: isProcess ? 2 : 1 });
  },
);

test('labels alone are a new version, but no generation and no event', async () => {
  const { metadata } = await declare();
  const changed = (await put(metadata.name, { metadata: { labels: { team: 'b' } }, spec: stdio })).json<Instance>();
  expect(changed.metadata).toMatchObject({ generation: 1, labels: { team: 'b' } });
  expect(Number(changed.metadata.resourceVersion)).toBeGreaterThan(Number(metadata.resourceVersion));
  expect(await reasons(metadata.uid)).toEqual(['Declared']);
});

test('the same ttl again does not extend the lease, also beside another change', async () => {
  const { metadata, spec } = await declare({ ...stdio, ttl: '2h' });
  const changed = await put(metadata.name, { spec: { ...stdio, ttl: '2h', restart: 'never' } });
  expect(changed.json().spec).toMatchObject({ expiresAt: spec.expiresAt, restart: 'never' });
  expect((await patch(metadata.name, { spec: { ttl: '2h' } })).json().spec.expiresAt).toBe(spec.expiresAt);
  // Another length is a new lease; the same length in other words too.
  expect((await put(metadata.name, { spec: { ...stdio, ttl: '120m' } })).json().spec.expiresAt).not.toBe(
    spec.expiresAt,
  );
});

test('an extension survives the same declaration', async () => {
  const { metadata } = await declare({ ...stdio, ttl: '1h' });
  const extended = (await api.ask('POST', `/api/v1/mcps/${metadata.name}/extend`, { ttl: '5h' })).json<Instance>();
  const again = (await put(metadata.name, { spec: { ...stdio, ttl: '1h' } })).json<Instance>();
  expect(again).toEqual(extended);
});

test('an ended lease is no fault of a write that leaves it alone', async () => {
  const { metadata } = await declare({ ...stdio, ttl: '1h' });
  await endLeaseNow(api.database.pool, metadata.name);
  expect((await put(metadata.name, { spec: { ...stdio, ttl: '1h' } })).statusCode).toBe(200);
  expect((await patch(metadata.name, { spec: { restart: 'never' } })).statusCode).toBe(200);
  const body = (await api.ask('GET', `/api/v1/mcps/${metadata.name}`)).json();
  expect((await put(metadata.name, body)).statusCode).toBe(200);
});

test('a write that lets an ended lease go on restores: event and new token', async () => {
  const { metadata } = await declare({ ...stdio, ttl: '1h' });
  await endLeaseNow(api.database.pool, metadata.name);
  expect((await patch(metadata.name, { spec: { ttl: '3h' } })).statusCode).toBe(200);
  expect(await reasons(metadata.uid)).toEqual(['Declared', 'Restored']);
  expect(
    await readRow(api.database.pool, 'select version from instance_tokens where instance_uid = $1', metadata.uid),
  ).toEqual({ version: 2 });
});

test('what a write brings back is a new generation of the process; an extension is not', async () => {
  const ended = await declare({ ...stdio, ttl: '1h' });
  await endLeaseNow(api.database.pool, ended.metadata.name);
  await patch(ended.metadata.name, { spec: { restart: 'never' } });
  expect(await generations(ended.metadata.name)).toMatchObject({ generation: 2, process_generation: 1 });
  await patch(ended.metadata.name, { spec: { ttl: '3h' } });
  expect(await generations(ended.metadata.name)).toMatchObject({ generation: 3, process_generation: 3 });
  await patch(ended.metadata.name, { spec: { ttl: '4h' } });
  expect(await generations(ended.metadata.name)).toMatchObject({ generation: 4, process_generation: 3 });

  const stopped = await declare({ ...stdio, running: false });
  await put(stopped.metadata.name, { spec: { ...stdio, running: true } });
  expect(await generations(stopped.metadata.name)).toMatchObject({ generation: 2, process_generation: 2 });
});

test('PATCH merges: named fields change, null removes, the rest stays', async () => {
  const { metadata } = await declare(
    {
      ...stdio,
      config: { command: ['cat'], env: { A: '1', B: '2' } },
      expiresAt: '2999-01-01T00:00:00Z',
      resources: { cpus: 1, memoryMiB: 64 },
    },
    { a: '1', b: '2' },
  );
  const response = await patch(
    metadata.name,
    {
      metadata: { labels: { a: null, c: '3' } },
      spec: { config: { env: { A: null, C: '3' } }, resources: { cpus: null } },
    },
    { 'content-type': 'application/merge-patch+json' },
  );
  expect(response.json()).toMatchObject({ metadata: { generation: 2 } });
  expect(response.json().metadata.labels).toEqual({ b: '2', c: '3' });
  expect(response.json().spec).toEqual({
    type: 'stdio',
    apiKey: null,
    config: { command: ['cat'], args: [], env: { B: '2', C: '3' }, isolation: 'shared' },
    expiresAt: '2999-01-01T00:00:00.000Z',
    running: true,
    restart: 'always',
    resources: { memoryMiB: 64 },
  });
});

test('PATCH: ttl replaces expiresAt and the reverse, null ends the end', async () => {
  const { metadata } = await declare({ ...stdio, expiresAt: '2999-01-01T00:00:00Z' });
  const withTtl = (await patch(metadata.name, { spec: { ttl: '1h' } })).json<Instance>();
  expect(Date.parse(withTtl.spec.expiresAt!)).toBeLessThan(Date.now() + 3_700_000);
  expect(await generations(metadata.name)).toMatchObject({ ttl: '1h' });
  const withTime = (await patch(metadata.name, { spec: { expiresAt: '2998-01-01T00:00:00Z' } })).json<Instance>();
  expect(withTime.spec.expiresAt).toBe('2998-01-01T00:00:00.000Z');
  expect(await generations(metadata.name)).toMatchObject({ ttl: null });
  expect((await patch(metadata.name, { spec: { ttl: null } })).json()).toEqual(withTime);
  expect((await patch(metadata.name, { spec: { expiresAt: null } })).json().spec.expiresAt).toBe(null);
});
