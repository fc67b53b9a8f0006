import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Instance } from '../../specs/instance.ts';
import { hashToken, isToken } from '../../src/secrets/api-token.ts';
import { createTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { beginAttempt, endLeaseNow, placeInstance, registerNode, writePhase } from '../support/observed.ts';
import { readAllRows } from '../support/rows.ts';

let api: TestApi;
let names = 0;
beforeAll(async () => {
  api = await createTestApi();
  await registerNode(api.database.pool, 'here');
  await registerNode(api.database.pool, 'six', 0, '::1');
});
afterAll(async () => {
  await api.close();
});

const stdio = { type: 'stdio', config: { command: ['cat'] } };
const declare = async (spec: object = { ...stdio, ttl: '1h' }): Promise<Instance> =>
  (await api.ask('PUT', `/api/v1/mcps/i-${++names}`, { spec })).json<Instance>();
const access = (name: string) => api.ask('GET', `/api/v1/mcps/${name}/access`);
const rotate = (name: string) => api.ask('POST', `/api/v1/mcps/${name}/access/rotate`);

async function storedHash(uid: string): Promise<Buffer> {
  const { rows } = await api.database.pool.query('select hash from instance_tokens where instance_uid = $1', [uid]);
  return rows[0].hash;
}

test('access answers URL, token and header once there is a place', async () => {
  const { metadata, spec } = await declare();
  const early = await access(metadata.name);
  expect([early.statusCode, early.json().type, early.headers['retry-after']]).toEqual([
    409,
    'urn:minimcp:problem:not-scheduled',
    '1',
  ]);
  await placeInstance(api.database.pool, metadata.uid, 'here', 3101);
  const response = await access(metadata.name);
  expect(response.statusCode).toBe(200);
  expect(response.headers['cache-control']).toBe('no-store');
  const { url, token, headers, expiresAt } = response.json();
  expect({ url, headers, expiresAt }).toEqual({
    url: 'http://127.0.0.1:3101/mcp',
    headers: { Authorization: `Bearer ${token}` },
    expiresAt: spec.expiresAt,
  });
  expect(isToken('mmci_', token)).toBe(true);
  expect(await storedHash(metadata.uid)).toEqual(hashToken(token));
  expect((await access(metadata.name)).json().token).toBe(token);
});

test('an IPv6 address stands in brackets', async () => {
  const { metadata } = await declare();
  await placeInstance(api.database.pool, metadata.uid, 'six', 3102);
  expect((await access(metadata.name)).json().url).toBe('http://[::1]:3102/mcp');
});

test('rotate makes another token at once, placed or not', async () => {
  const { metadata } = await declare();
  const first = await rotate(metadata.name);
  expect([first.statusCode, first.json().url]).toEqual([200, null]);
  await placeInstance(api.database.pool, metadata.uid, 'here', 3103);
  const second = await rotate(metadata.name);
  expect(second.json().url).toBe('http://127.0.0.1:3103/mcp');
  expect(second.headers['cache-control']).toBe('no-store');
  expect(second.json().token).not.toBe(first.json().token);
  expect(await storedHash(metadata.uid)).toEqual(hashToken(second.json().token));
  expect((await access(metadata.name)).json()).toEqual(second.json());
  // The token is no part of what readers see: no new version, no event.
  expect((await api.ask('GET', `/api/v1/mcps/${metadata.name}`)).json().metadata.generation).toBe(1);
  const { rows } = await api.database.pool.query('select version from instance_tokens where instance_uid = $1', [
    metadata.uid,
  ]);
  expect(rows).toEqual([{ version: 3 }]);
});

test('an ended lease, a stopped instance and a deleted one give no access', async () => {
  const ended = (await declare()).metadata;
  await placeInstance(api.database.pool, ended.uid, 'here', 3104);
  await endLeaseNow(api.database.pool, ended.name);
  const stopped = (await declare({ ...stdio, running: false })).metadata;
  await placeInstance(api.database.pool, stopped.uid, 'here', 3105);
  const exited = (await declare()).metadata;
  await placeInstance(api.database.pool, exited.uid, 'here', 3106);
  await writePhase(api.database.pool, exited.uid, 'Stopped');
  const doomed = (await declare()).metadata;
  await placeInstance(api.database.pool, doomed.uid, 'here', 3107);
  await api.ask('DELETE', `/api/v1/mcps/${doomed.name}`);
  const before = await readAllRows(api.database.pool);
  for (const [{ name }, kind] of [
    [ended, 'lease-ended'],
    [stopped, 'stopped'],
    [exited, 'stopped'],
    [doomed, 'being-deleted'],
  ] as const) {
    const response = await access(name);
    expect([response.statusCode, response.json().type]).toEqual([409, `urn:minimcp:problem:${kind}`]);
    expect(response.body).not.toContain('mmci_');
  }
  expect((await rotate(ended.name)).statusCode).toBe(409);
  expect(await readAllRows(api.database.pool)).toEqual(before);
  expect((await access('absent')).statusCode).toBe(404);
});

test('a token that was moved to another row does not open', async () => {
  const one = (await declare()).metadata;
  const two = (await declare()).metadata;
  await placeInstance(api.database.pool, one.uid, 'here', 3108);
  await api.database.pool.query(
    `update instance_tokens set ciphertext = (select ciphertext from instance_tokens where instance_uid = $2)
     where instance_uid = $1`,
    [one.uid, two.uid],
  );
  const response = await access(one.name);
  expect(response.statusCode).toBe(500);
  expect(response.json().detail).not.toContain(one.uid);
});

test('the live process, not the plan, says where an instance is', async () => {
  const { metadata } = await declare();
  await placeInstance(api.database.pool, metadata.uid, 'here', 3109);
  const attempt = await beginAttempt(api.database.pool, metadata.uid, 'here', 3110, 4711);
  await writePhase(api.database.pool, metadata.uid, 'Starting', attempt);
  expect((await access(metadata.name)).json().url).toBe('http://127.0.0.1:3110/mcp');
});
