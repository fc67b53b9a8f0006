import { afterAll, beforeAll, expect, test } from 'vitest';
import { apiKey } from '../../specs/api-key.ts';
import { apiKeyAad } from '../../src/secrets/envelope.ts';
import { createTestApi, sortedStatuses } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { readAllRows } from '../support/rows.ts';

let api: TestApi;
const secret = 'ghp_ThisIsTheSecret0123';
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(async () => {
  await api.close();
});

const put = (name: string, body: unknown, query = '') => api.ask('PUT', `/api/v1/api-keys/${name}${query}`, body);
const github = (token: string) => ({ type: 'github', values: { token } });

async function openStored(name: string): Promise<unknown> {
  const { rows } = await api.database.pool.query('select * from api_keys where name = $1', [name]);
  const [row] = rows;
  return JSON.parse(await api.vault.open(row.data_key_id, row.ciphertext, apiKeyAad(row.uid, row.name, row.version)));
}

test('PUT seals the values and answers everything but them', async () => {
  const response = await put('my-github', github(secret));
  expect([response.statusCode, response.headers['location']]).toEqual([201, '/api/v1/api-keys/my-github']);
  const key = apiKey.parse(response.json());
  expect(key).toMatchObject({ name: 'my-github', type: 'github', version: 1, lastFour: { token: '0123' }, usedBy: [] });
  expect(await openStored('my-github')).toEqual({ token: secret });
  expect((await api.ask('GET', '/api/v1/api-keys/my-github')).json()).toEqual(response.json());
  expect((await api.ask('GET', '/api/v1/api-keys')).json()).toEqual({ items: [response.json()], nextCursor: null });
  const { rows } = await api.database.pool.query('select to_jsonb(k)::text as text from api_keys k');
  expect(rows[0].text).not.toContain('ThisIsTheSecret');
});

test('the same values change nothing; others are the next version', async () => {
  await put('rotated', github(secret));
  const before = await readAllRows(api.database.pool);
  expect((await put('rotated', github(secret))).statusCode).toBe(200);
  expect(await readAllRows(api.database.pool)).toEqual(before);
  const second = await put('rotated', github('another-long-token-9876'));
  expect([second.statusCode, second.json().version, second.json().lastFour]).toEqual([200, 2, { token: '9876' }]);
  expect(await openStored('rotated')).toEqual({ token: 'another-long-token-9876' });
});

test('short values show nothing of themselves; long ones four whole characters', async () => {
  const values = { SHORT: 'elevenchars', LONG: 'twelve-chars', WIDE: 'twelve chars and 🐘🐘🐘🐘🐘' };
  const response = await put('several', { type: 'stdio', values });
  expect(response.json().lastFour).toEqual({ LONG: 'hars', WIDE: '🐘🐘🐘🐘' });
  expect(await openStored('several')).toEqual(values);
});

test('usedBy names the instances; a key in use may go, and may come back', async () => {
  await put('used', { type: 'stdio', values: { A: 'b' } });
  const spec = { type: 'stdio', config: { command: ['cat'] }, apiKey: 'used' };
  for (const name of ['uses-b', 'uses-a']) await api.ask('PUT', `/api/v1/mcps/${name}`, { spec });
  const removed = await api.ask('DELETE', '/api/v1/api-keys/used');
  expect([removed.statusCode, removed.json().usedBy]).toEqual([200, ['uses-a', 'uses-b']]);
  expect((await api.ask('GET', '/api/v1/api-keys/used')).statusCode).toBe(404);
  expect((await api.ask('DELETE', '/api/v1/api-keys/used')).statusCode).toBe(404);
  expect((await api.ask('GET', '/api/v1/mcps/uses-a')).json().spec.apiKey).toBe('used');
  expect((await put('used', { type: 'stdio', values: { A: 'c' } })).json()).toMatchObject({
    version: 1,
    usedBy: ['uses-a', 'uses-b'],
  });
});

test('a key in use does not become one of another type; an idle one does', async () => {
  await put('fixed', { type: 'stdio', values: { A: 'b' } });
  await api.ask('PUT', '/api/v1/mcps/fixes-it', {
    spec: { type: 'stdio', config: { command: ['cat'] }, apiKey: 'fixed' },
  });
  const before = await readAllRows(api.database.pool);
  const response = await put('fixed', github(secret));
  expect([response.statusCode, response.json().type]).toEqual([409, 'urn:minimcp:problem:api-key-in-use']);
  expect(await readAllRows(api.database.pool)).toEqual(before);
  await put('idle', { type: 'stdio', values: { A: 'b' } });
  expect((await put('idle', github(secret))).json()).toMatchObject({ type: 'github', version: 2 });
});

test.each([
  ['k', { values: { token: 'x' } }, '/type', 'is required'],
  ['k', { type: 'jira', values: { token: 'x' } }, '/type', 'gmail, stdio'],
  ['k', { type: 'github' }, '/values', 'an object'],
  ['k', { type: 'github', values: {} }, '/values/token', 'is required'],
  ['k', { type: 'github', values: { token: '' } }, '/values/token', 'must not be empty'],
  ['k', { type: 'github', values: { token: 7 } }, '/values/token', 'a string'],
  ['k', { type: 'github', values: { token: 'x'.repeat(65_537) } }, '/values/token', '65536'],
  ['k', { type: 'github', values: { token: secret, password: secret } }, '/values/password', 'token'],
  ['k', { type: 'github', values: secret }, '/values', 'an object'],
  ['k', { type: 'github', values: { token: `${secret}\0` } }, '/values/token', 'NUL'],
  ['k', { type: 'stdio', values: {} }, '/values', 'at least one value'],
  ['k', { type: 'stdio', values: { 'a-b': secret } }, '/values/a-b', 'environment variable'],
  ['k', { type: 'stdio', values: { LD_PRELOAD: secret } }, '/values/LD_PRELOAD', 'reserved'],
  ['k', { type: 'github', values: { token: secret }, note: 'x' }, '/note', 'type, values'],
  ['K', { type: 'github', values: { token: secret } }, '/name', 'DNS label'],
  ['a.b', { type: 'github', values: { token: secret } }, '/name', 'DNS label'],
])('PUT %s is refused: %#', async (name, body, pointer, accepted) => {
  const before = await readAllRows(api.database.pool);
  const response = await put(name, body);
  expect(response.statusCode).toBe(422);
  expect(response.json().errors).toMatchObject([{ pointer, message: expect.stringContaining(accepted) }]);
  expect(response.body).not.toContain('ThisIsTheSecret');
  expect(await readAllRows(api.database.pool)).toEqual(before);
});

test('many PUTs at once: every change is one version, and the last one is what is stored', async () => {
  const responses = await Promise.all(Array.from({ length: 10 }, (_, i) => put('raced', github(`token-number-${i}`))));
  expect(sortedStatuses(responses)).toEqual([...Array<number>(9).fill(200), 201]);
  expect(responses.map(response => response.json().version).toSorted((a, b) => a - b)).toEqual([
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
  ]);
  expect(await openStored('raced')).toEqual({ token: expect.stringMatching(/^token-number-\d$/) });
});

test('a row that was damaged is written anew', async () => {
  await put('damaged', github(secret));
  await api.database.pool.query(`update api_keys set ciphertext = '\\x00' where name = 'damaged'`);
  expect((await put('damaged', github(secret))).json().version).toBe(2);
  expect(await openStored('damaged')).toEqual({ token: secret });
});

test('pages by name', async () => {
  const all = (await api.ask('GET', '/api/v1/api-keys')).json().items.map((key: { name: string }) => key.name);
  expect(all).toEqual(all.toSorted());
  const first = (await api.ask('GET', '/api/v1/api-keys?limit=2')).json();
  const second = (await api.ask('GET', `/api/v1/api-keys?limit=2&cursor=${first.nextCursor}`)).json();
  expect([...first.items, ...second.items].map(key => key.name)).toEqual(all.slice(0, 4));
});

test('no value of a secret is ever logged', async () => {
  await put('logged', github(secret));
  await put('logged', `{"type":"github","values":{"token":"${secret}"`);
  await put('logged', { type: 'github', values: { token: secret, other: secret } });
  await api.ask('GET', `/api/v1/mcps?q=x`, undefined, { authorization: `Bearer ${secret}` });
  const log = api.logged.join('');
  expect(log).not.toContain('ThisIsTheSecret');
  expect(log).not.toContain(api.adminToken);
});
