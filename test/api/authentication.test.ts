import { afterAll, beforeAll, expect, test } from 'vitest';
import { problem } from '../../specs/problem.ts';
import { generateToken, hashToken } from '../../src/secrets/api-token.ts';
import { createTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { readAllRows } from '../support/rows.ts';
import { until } from '../support/until.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi({ MINIMCP_API_HOST: '127.0.0.9' });
});
afterAll(async () => {
  await api.close();
});

const kind = (name: string): string => `urn:minimcp:problem:${name}`;

async function makeToken(name: string, scopes: string[], expiresAt: string | null = null): Promise<string> {
  const token = generateToken('mmcp_');
  await api.database.pool.query('insert into tokens (name, hash, scopes, expires_at) values ($1, $2, $3, $4)', [
    name,
    hashToken(token),
    scopes,
    expiresAt,
  ]);
  return token;
}
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

test.each([
  ['none', {}],
  ['another scheme', { authorization: 'Basic YTpi' }],
  ['an empty one', { authorization: 'Bearer ' }],
  ['noise', { authorization: 'Bearer letmein' }],
  ['a wrong checksum', { authorization: `Bearer mmcp_${'0'.repeat(36)}` }],
  ['an unknown one', { authorization: `Bearer ${generateToken('mmcp_')}` }],
  ["an instance's", { authorization: `Bearer ${generateToken('mmci_')}` }],
])('every route refuses %s as a token, existing or not', async (_title, headers) => {
  const before = await readAllRows(api.database.pool);
  for (const [method, url] of [
    ['GET', '/api/v1/mcps'],
    ['POST', '/api/v1/mcps'],
    ['GET', '/api/v1/mcps?watch=1'],
    ['GET', '/api/v1/openapi.json'],
    ['GET', '/api/v1/nothing'],
    ['PUT', '/api/v1/nodes'],
  ] as const) {
    const payload = method === 'POST' ? '{"spec":{"type":"stdio","config":{"command":["cat"]}}}' : undefined;
    const response = await api.app.inject({
      method,
      url,
      headers: { 'content-type': 'application/json', ...headers },
      ...(payload === undefined ? {} : { payload }),
    });
    expect([url, response.statusCode]).toEqual([url, 401]);
    expect(problem.parse(response.json()).type).toBe(kind('unauthenticated'));
    expect(response.headers['www-authenticate']).toContain('Bearer');
  }
  expect(await readAllRows(api.database.pool)).toEqual(before);
});

test('a token that has expired or was deleted is refused at once', async () => {
  const expired = await makeToken('expired', ['read'], '2020-01-01T00:00:00Z');
  expect((await api.ask('GET', '/api/v1/mcps', undefined, bearer(expired))).statusCode).toBe(401);
  const brief = await makeToken('brief', ['read'], '2999-01-01T00:00:00Z');
  expect((await api.ask('GET', '/api/v1/mcps', undefined, bearer(brief))).statusCode).toBe(200);
  await api.database.pool.query(`delete from tokens where name = 'brief'`);
  expect((await api.ask('GET', '/api/v1/mcps', undefined, bearer(brief))).statusCode).toBe(401);
});

test('each route needs its scope, and admin has all of them', async () => {
  const spec = { type: 'stdio', config: { command: ['cat'] } };
  await api.ask('PUT', '/api/v1/mcps/scoped', { spec });
  const routes = {
    read: [
      ['GET', '/mcps'],
      ['GET', '/mcps/scoped'],
      ['GET', '/mcps/scoped/events'],
      ['GET', '/events'],
      ['GET', '/types'],
      ['GET', '/types/github'],
      ['GET', '/api-keys'],
      ['GET', '/nodes'],
      ['GET', '/controllers'],
      ['GET', '/openapi.json'],
    ],
    write: [
      ['POST', '/mcps?dryRun=1', { spec }],
      ['PUT', '/mcps/scoped?dryRun=1', { spec }],
      ['PATCH', '/mcps/scoped?dryRun=1', {}],
      ['DELETE', '/mcps/scoped?dryRun=1'],
      ['POST', '/mcps/scoped/extend?dryRun=1', { ttl: '1h' }],
      ['POST', '/mcps/scoped/restart?dryRun=1'],
      ['PUT', '/api-keys/k?dryRun=1', { type: 'stdio', values: { A: 'b' } }],
    ],
    access: [['POST', '/mcps/scoped/access/rotate?dryRun=1']],
  } as const;
  for (const scope of ['read', 'write', 'access', 'admin'] as const) {
    const token = await makeToken(`only-${scope}`, [scope]);
    for (const [needed, list] of Object.entries(routes)) {
      for (const [method, path, body] of list) {
        const response = await api.ask(method, `/api/v1${path}`, body, bearer(token));
        const isAllowed = scope === needed || scope === 'admin';
        expect([scope, method, path, response.statusCode < 300]).toEqual([scope, method, path, isAllowed]);
        if (!isAllowed) expect([response.statusCode, response.json().type]).toEqual([403, kind('missing-scope')]);
      }
    }
  }
});

test('the use of a token is noted, at most once a minute', async () => {
  const token = await makeToken('noted', ['read']);
  const lastUse = async (): Promise<Date | null> =>
    (await api.database.pool.query(`select last_used_at from tokens where name = 'noted'`)).rows[0].last_used_at;
  expect(await lastUse()).toBe(null);
  await api.ask('GET', '/api/v1/mcps', undefined, bearer(token));
  const first = await until('noted', lastUse);
  for (let i = 0; i < 5; i++) await api.ask('GET', '/api/v1/mcps', undefined, bearer(token));
  expect(await lastUse()).toEqual(first);
});

test.each([
  ['localhost', 200],
  ['LOCALHOST:5000', 200],
  ['127.0.0.1:1', 200],
  ['[::1]:5000', 200],
  ['127.0.0.9', 200],
  ['evil.example', 421],
  ['localhost.evil.example', 421],
  ['127.0.0.1.evil.example', 421],
  ['evil.example:5000', 421],
  ['10.0.0.1', 421],
  ['user@localhost', 421],
  ['localhost/x', 421],
])('Host %s is %i, with or without a token', async (host, status) => {
  for (const url of ['/livez', '/', '/api/v1/mcps']) {
    const response = await api.ask('GET', url, undefined, { host });
    expect([url, response.statusCode]).toEqual([url, status]);
    if (status === 421) expect(problem.parse(response.json()).type).toBe(kind('foreign-host'));
  }
});

test.each([
  ['http://localhost:5173', 200],
  ['http://127.0.0.1:5000', 200],
  ['https://[::1]', 200],
  ['http://evil.example', 403],
  ['http://localhost.evil.example', 403],
  ['http://localhost@evil.example', 403],
  ['null', 403],
  ['file://', 403],
  ['', 403],
])('Origin %s is %i', async (origin, status) => {
  const response = await api.ask('GET', '/api/v1/mcps', undefined, { origin });
  expect(response.statusCode).toBe(status);
  if (status === 403) expect(problem.parse(response.json()).type).toBe(kind('foreign-origin'));
  // No other page is ever told that it may read an answer.
  expect(response.headers['access-control-allow-origin']).toBe(undefined);
});

test('a listener on all addresses takes every address and its own name, and no other', async () => {
  const open = await createTestApi({ MINIMCP_API_HOST: '0.0.0.0' });
  for (const [host, status] of [
    ['10.1.2.3:5000', 200],
    ['[fe80::1]', 200],
    ['test-node', 200],
    ['evil.example', 421],
  ] as const) {
    expect((await open.ask('GET', '/livez', undefined, { host })).statusCode).toBe(status);
  }
  await open.close();
});
