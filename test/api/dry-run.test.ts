import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { endLeaseNow } from '../support/observed.ts';
import { readAllRows } from '../support/rows.ts';

let api: TestApi;
const stdio = { type: 'stdio', config: { command: ['cat'] } };

beforeAll(async () => {
  api = await createTestApi();
  for (const name of ['present', 'ended'])
    await api.ask('PUT', `/api/v1/mcps/${name}`, { spec: { ...stdio, ttl: '1h' } });
  await endLeaseNow(api.database.pool, 'ended');
  await api.ask('PUT', '/api/v1/api-keys/k', { type: 'github', values: { token: 'a-token-that-is-long' } });
});
afterAll(async () => {
  await api.close();
});

const writes: [
  method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  body: unknown,
  status: number,
  seen: object,
][] = [
  ['POST', '/mcps', { metadata: { name: 'new' }, spec: stdio }, 201, { metadata: { name: 'new', generation: 1 } }],
  ['POST', '/mcps', { metadata: { name: 'present' }, spec: stdio }, 409, { type: 'urn:minimcp:problem:name-taken' }],
  ['PUT', '/mcps/new', { spec: stdio }, 201, { metadata: { name: 'new' } }],
  [
    'PUT',
    '/mcps/present',
    { spec: { ...stdio, running: false } },
    200,
    { metadata: { generation: 2 }, spec: { running: false } },
  ],
  ['PUT', '/mcps/present', { spec: { type: 'none' } }, 422, { type: 'urn:minimcp:problem:invalid-body' }],
  ['PATCH', '/mcps/present', { spec: { restart: 'never' } }, 200, { spec: { restart: 'never' } }],
  ['PATCH', '/mcps/absent', {}, 404, { type: 'urn:minimcp:problem:not-found' }],
  [
    'POST',
    '/mcps/present/extend',
    { expiresAt: null },
    200,
    { spec: { expiresAt: null }, metadata: { generation: 2 } },
  ],
  ['POST', '/mcps/ended/restore', { expiresAt: null }, 200, { spec: { expiresAt: null } }],
  ['POST', '/mcps/present/restore', { ttl: '1h' }, 409, { type: 'urn:minimcp:problem:lease-holds' }],
  ['POST', '/mcps/present/restart', undefined, 200, { metadata: { generation: 2 } }],
  ['POST', '/mcps/present/access/rotate', undefined, 200, { url: null }],
  ['DELETE', '/mcps/present', undefined, 202, { metadata: { deletionRequestedAt: expect.any(String) } }],
  ['DELETE', '/mcps/absent', undefined, 404, { type: 'urn:minimcp:problem:not-found' }],
  ['PUT', '/api-keys/new', { type: 'github', values: { token: 'x' } }, 201, { name: 'new', version: 1 }],
  ['PUT', '/api-keys/k', { type: 'github', values: { token: 'x' } }, 200, { name: 'k', version: 2 }],
  ['DELETE', '/api-keys/k', undefined, 200, { name: 'k' }],
];

test.each(writes)('%s %s of %j answers %i and writes nothing', async (method, path, body, status, seen) => {
  const before = await readAllRows(api.database.pool);
  const response = await api.ask(method, `/api/v1${path}?dryRun=1`, body);
  expect(response.statusCode).toBe(status);
  expect(response.json()).toMatchObject(seen);
  expect(await readAllRows(api.database.pool)).toEqual(before);
});

test('a dry run with a wait does not wait', async () => {
  const started = performance.now();
  expect((await api.ask('DELETE', '/api/v1/mcps/present?dryRun=1&wait=30s')).statusCode).toBe(202);
  expect(performance.now() - started).toBeLessThan(5_000);
});
