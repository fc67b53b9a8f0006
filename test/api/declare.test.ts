import { afterAll, beforeAll, expect, test } from 'vitest';
import { instance } from '../../specs/instance.ts';
import { instanceTokenAad } from '../../src/secrets/envelope.ts';
import { hashToken, isToken } from '../../src/secrets/api-token.ts';
import { createTestApi, sortedStatuses } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { readAllRows, readRow } from '../support/rows.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(async () => {
  await api.close();
});

const stdio = { type: 'stdio', config: { command: ['cat'] } };

test('POST stores the desired state and answers it before anything has moved', async () => {
  const response = await api.ask('POST', '/api/v1/mcps', {
    metadata: { name: 'first', labels: { team: 'a' } },
    spec: { ...stdio, ttl: '2h', restart: 'on-failure', resources: { memoryMiB: 128 } },
  });
  expect(response.statusCode).toBe(201);
  expect(response.headers['location']).toBe('/api/v1/mcps/first');
  const body = instance.parse(response.json());
  expect(response.headers['etag']).toBe(`"${body.metadata.resourceVersion}"`);
  expect(body.metadata).toMatchObject({
    name: 'first',
    labels: { team: 'a' },
    generation: 1,
    deletionRequestedAt: null,
  });
  expect(body.spec).toMatchObject({
    type: 'stdio',
    apiKey: null,
    config: { command: ['cat'], args: [], env: {}, isolation: 'shared' },
    running: true,
    restart: 'on-failure',
    resources: { memoryMiB: 128 },
  });
  expect(body.status).toEqual({
    observedGeneration: 0,
    phase: 'Pending',
    conditions: [],
    node: null,
    port: null,
    pid: null,
    url: null,
    startedAt: null,
    readyAt: null,
    expiredAt: null,
    lastAccessedAt: null,
    requestCount: 0,
    restartCount: 0,
    nextStartAt: null,
    lastExit: null,
    usage: null,
  });
  const row = await readRow(
    api.database.pool,
    `select i.ttl, i.process_generation, i.desired_version::text, extract(epoch from i.expires_at - i.created_at) as seconds
     from instances i where name = $1`,
    'first',
  );
  expect(row).toMatchObject({ ttl: '2h', process_generation: 1, desired_version: body.metadata.resourceVersion });
  expect(Math.abs(Number(row['seconds']) - 7200)).toBeLessThan(5);
  expect((await api.ask('GET', '/api/v1/mcps/first')).json()).toEqual(body);
});

test('an instance gets its token, sealed for it, and the event Declared', async () => {
  const { metadata } = (
    await api.ask('POST', '/api/v1/mcps', { metadata: { name: 'with-token' }, spec: stdio })
  ).json();
  const { rows } = await api.database.pool.query('select * from instance_tokens where instance_uid = $1', [
    metadata.uid,
  ]);
  expect(rows).toHaveLength(1);
  const [row] = rows;
  const token = await api.vault.open(row.data_key_id, row.ciphertext, instanceTokenAad(metadata.uid, 1));
  expect(isToken('mmci_', token)).toBe(true);
  expect(hashToken(token).equals(row.hash)).toBe(true);
  expect(row.version).toBe(1);
  expect(await readRow(api.database.pool, 'select * from events where instance_uid = $1', metadata.uid)).toMatchObject({
    controller: 'api',
    node: null,
    reason: 'Declared',
    from_phase: null,
    to_phase: 'Pending',
  });
});

test('without a name one is made of the type, also twice', async () => {
  for (const body of [{ spec: stdio }, { metadata: {}, spec: stdio }, { metadata: { labels: {} }, spec: stdio }]) {
    const response = await api.ask('POST', '/api/v1/mcps', body);
    expect(response.statusCode).toBe(201);
    expect(response.json().metadata.name).toMatch(/^stdio-[a-z0-9]{5}$/);
  }
});

test('no ttl and no expiresAt, or null, is a lease that never ends', async () => {
  for (const spec of [stdio, { ...stdio, expiresAt: null }]) {
    expect((await api.ask('POST', '/api/v1/mcps', { spec })).json().spec.expiresAt).toBe(null);
  }
});

test.each([
  ['2999-01-02T03:04:05Z', '2999-01-02T03:04:05.000Z'],
  ['2999-01-02T03:04:05.123456+02:00', '2999-01-02T01:04:05.123Z'],
  ['9999-12-31T23:59:59Z', '9999-12-31T23:59:59.000Z'],
])('expiresAt %s is read as %s', async (written, read) => {
  const response = await api.ask('POST', '/api/v1/mcps', { spec: { ...stdio, expiresAt: written } });
  expect(response.json().spec.expiresAt).toBe(read);
  expect((await api.ask('GET', response.headers['location'] as string)).json().spec.expiresAt).toBe(read);
});

test('read-only fields that a reader sends back are ignored', async () => {
  const response = await api.ask('POST', '/api/v1/mcps', {
    metadata: {
      name: 'copied',
      uid: '00000000-0000-4000-8000-000000000000',
      generation: 12,
      resourceVersion: '99',
      createdAt: '2020-01-01T00:00:00Z',
      deletionRequestedAt: null,
    },
    spec: stdio,
    status: { phase: 'Ready', anything: [1] },
  });
  expect(response.statusCode).toBe(201);
  expect(response.json().metadata.uid).not.toBe('00000000-0000-4000-8000-000000000000');
  expect(response.json()).toMatchObject({ metadata: { generation: 1 }, status: { phase: 'Pending' } });
});

test('a taken name is refused and nothing is written', async () => {
  await api.ask('POST', '/api/v1/mcps', { metadata: { name: 'taken' }, spec: stdio });
  const before = await readAllRows(api.database.pool);
  const response = await api.ask('POST', '/api/v1/mcps', { metadata: { name: 'taken' }, spec: stdio });
  expect(response.statusCode).toBe(409);
  expect(response.json()).toMatchObject({ type: 'urn:minimcp:problem:name-taken' });
  await api.ask('DELETE', '/api/v1/mcps/taken');
  const deleting = await readAllRows(api.database.pool);
  const again = await api.ask('POST', '/api/v1/mcps', { metadata: { name: 'taken' }, spec: stdio });
  expect(again.statusCode).toBe(409);
  expect(again.json()).toMatchObject({
    type: 'urn:minimcp:problem:being-deleted',
    detail: expect.stringContaining('being deleted'),
  });
  expect(await readAllRows(api.database.pool)).toEqual(deleting);
  expect(before['instances']).toHaveLength(deleting['instances']!.length);
});

test('of many POSTs of one name at once exactly one wins', async () => {
  const responses = await Promise.all(
    Array.from({ length: 12 }, () => api.ask('POST', '/api/v1/mcps', { metadata: { name: 'raced' }, spec: stdio })),
  );
  expect(sortedStatuses(responses)).toEqual([201, ...Array<number>(11).fill(409)]);
  const { rows } = await api.database.pool.query(
    `select i.uid, (select count(*) from events where instance_name = 'raced') as events,
       (select count(*) from instance_tokens t where t.instance_uid = i.uid) as tokens
     from instances i where name = 'raced'`,
  );
  expect(rows).toMatchObject([{ events: 1, tokens: 1 }]);
});

test('an api key that does not exist yet is accepted', async () => {
  const response = await api.ask('POST', '/api/v1/mcps', { spec: { type: 'github', apiKey: 'to-come' } });
  expect(response.statusCode).toBe(201);
  expect(response.json().spec).toMatchObject({ apiKey: 'to-come', config: { readOnly: false } });
});

test('the API writes desired state alone', async () => {
  const rows = await readAllRows(api.database.pool);
  for (const table of ['statuses', 'placements', 'attempts', 'expiries', 'observations'])
    expect(rows[table]).toEqual([]);
});
