import { afterAll, beforeAll, expect, test } from 'vitest';
import { typeView } from '../../src/api/schemas.ts';
import { generateToken, hashToken } from '../../src/secrets/api-token.ts';
import { createTestApi, sortedStatuses } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { readAllRows, readRow } from '../support/rows.ts';
import { figmaServerJson, weather } from '../support/types.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(async () => {
  await api.close();
});

const ask: TestApi['ask'] = (method, path, body, headers) => api.ask(method, `/api/v1${path}`, body, headers);
const put = (name: string, body: unknown, headers?: Record<string, string>) =>
  ask('PUT', `/types/${name}`, body, headers);
const echo = (...args: string[]) => ({ title: 'Echo', command: ['node', '/srv/echo.mjs'], args });

test('a manifest becomes a type with the schemas of what its instances and keys take', async () => {
  const response = await put('weather', weather);
  expect([response.statusCode, response.headers['location']]).toEqual([201, '/api/v1/types/weather']);
  const view = typeView.parse(response.json());
  expect(view).toMatchObject({
    name: 'weather',
    title: 'Weather',
    source: 'manifest',
    key: 'required',
    version: 1,
    document: weather,
    manifest: { package: '@acme/weather-mcp', version: '1.2.3', isolation: 'shared' },
    configSchema: {
      type: 'object',
      additionalProperties: false,
      required: ['days'],
      properties: {
        user: { type: 'string', default: 'me', maxLength: 32_768 },
        units: { enum: ['metric', 'imperial'], default: 'metric' },
        days: { type: 'number' },
        verbose: { type: 'boolean', default: false },
        dirs: { type: 'array', maxItems: 64, items: { type: 'string' }, examples: ['/srv/maps'], format: 'filepath' },
      },
    },
    keyValuesSchema: {
      required: ['token'],
      additionalProperties: false,
      properties: { token: { type: 'string', description: 'From your account' }, password: { type: 'string' } },
    },
  });
  // In the order in which the author asks.
  expect(Object.keys(view.configSchema['properties'] as object)).toEqual(['user', 'units', 'days', 'verbose', 'dirs']);
  const read = await ask('GET', '/types/weather');
  expect([read.json(), read.headers['etag']]).toEqual([response.json(), response.headers['etag']]);
});

test('a server.json with a package of npm becomes a type', async () => {
  const response = await put('figma-context', figmaServerJson);
  expect(response.statusCode).toBe(201);
  expect(response.json()).toMatchObject({
    title: 'io.github.GLips/Figma-Context-MCP',
    source: 'server.json',
    key: 'required',
    document: figmaServerJson,
    manifest: {
      package: 'figma-developer-mcp',
      version: '0.13.2',
      args: ['--stdio'],
      env: { FIGMA_API_KEY: '{FIGMA_API_KEY}' },
    },
    configSchema: { properties: {}, additionalProperties: false },
    keyValuesSchema: {
      required: ['FIGMA_API_KEY'],
      properties: { FIGMA_API_KEY: { description: 'Your personal access token' } },
    },
  });
});

test('instances and api keys are held against a registered type as against a built-in one', async () => {
  await put('held', weather);
  const key = await ask('PUT', '/api-keys/held-key', { type: 'held', values: { token: 'a-secret-token' } });
  expect(key.statusCode).toBe(201);
  const declare = (spec: object) => ask('PUT', '/mcps/held-one', { spec: { type: 'held', ...spec } });
  const refused: [spec: object, pointer: string, accepted: string][] = [
    [{ config: { days: 3 } }, '/spec/apiKey', 'an api key of type held'],
    [{ apiKey: 'held-key' }, '/spec/config/days', 'is required'],
    [{ apiKey: 'held-key', config: { days: '3' } }, '/spec/config/days', 'a number'],
    [{ apiKey: 'held-key', config: { days: 3, units: 'old' } }, '/spec/config/units', '"imperial"'],
    [{ apiKey: 'held-key', config: { days: 3, token: 'x' } }, '/spec/config/token', 'units'],
    [{ apiKey: 'held-key', config: { days: 3, dirs: '/a' } }, '/spec/config/dirs', 'an array'],
    [{ apiKey: 'held-key', config: { days: 3, user: 'a\0' } }, '/spec/config/user', 'NUL'],
  ];
  for (const [spec, pointer, accepted] of refused) {
    const response = await declare(spec);
    expect([response.statusCode, response.json().errors]).toEqual([
      422,
      [{ pointer, message: expect.stringContaining(accepted) }],
    ]);
  }
  const declared = await declare({ apiKey: 'held-key', config: { days: 3 } });
  expect([declared.statusCode, declared.json().spec.config]).toEqual([
    201,
    { user: 'me', units: 'metric', days: 3, verbose: false },
  ]);
  for (const [values, pointer] of [
    [{}, '/values/token'],
    [{ token: 'x', other: 'y' }, '/values/other'],
    [{ token: '' }, '/values/token'],
  ] as const) {
    const response = await ask('PUT', '/api-keys/held-other', { type: 'held', values });
    expect([response.statusCode, response.json().errors[0].pointer]).toEqual([422, pointer]);
  }
});

test('a type without secrets takes no key; one with optional secrets needs none', async () => {
  await put('keyless', echo());
  expect((await ask('GET', '/types/keyless')).json()).toMatchObject({
    key: 'none',
    keyValuesSchema: { properties: {} },
  });
  const withKey = await ask('POST', '/mcps', { spec: { type: 'keyless', apiKey: 'any' } });
  expect(withKey.json().errors).toEqual([
    { pointer: '/spec/apiKey', message: expect.stringContaining('takes no api key') },
  ]);
  const ofKey = await ask('PUT', '/api-keys/keyless-key', { type: 'keyless', values: {} });
  expect(ofKey.json().errors).toEqual([{ pointer: '/type', message: expect.stringContaining('takes no api key') }]);
  expect((await ask('POST', '/mcps', { spec: { type: 'keyless' } })).statusCode).toBe(201);

  await put('keyed', { ...echo(), env: { TOKEN: '{token}' }, inputs: { token: { secret: true } } });
  expect((await ask('GET', '/types/keyed')).json().key).toBe('optional');
  expect((await ask('POST', '/mcps', { spec: { type: 'keyed' } })).statusCode).toBe(201);
  const empty = await ask('PUT', '/api-keys/empty', { type: 'keyed', values: {} });
  expect(empty.json().errors).toEqual([{ pointer: '/values', message: expect.stringContaining('at least one') }]);
});

test('the same again changes nothing; words alone are a version that starts no process anew', async () => {
  const program = async () => {
    const row = await readRow(api.database.pool, `select program_hash from types where name = 'changing'`);
    return String(row['program_hash']);
  };
  await put('changing', weather);
  const first = await program();
  expect(first).toMatch(/^[0-9a-f]{64}$/);
  const before = await readAllRows(api.database.pool);
  const reordered = Object.fromEntries(Object.entries(weather).toReversed());
  for (const again of [weather, reordered]) expect((await put('changing', again)).statusCode).toBe(200);
  expect(await readAllRows(api.database.pool)).toEqual(before);
  const words = {
    ...weather,
    title: 'Forecast',
    inputs: { ...weather.inputs, user: { default: 'me', description: '!' } },
  };
  expect((await put('changing', words)).json()).toMatchObject({ title: 'Forecast', version: 2 });
  expect(await program()).toBe(first);
  expect((await put('changing', { ...words, version: '1.2.4' })).json().version).toBe(3);
  expect(await program()).not.toBe(first);
  // Taken back, it is the program that runs already.
  expect((await put('changing', words)).json().version).toBe(4);
  expect(await program()).toBe(first);
});

test('dry runs, preconditions and ETags', async () => {
  const rows = await readAllRows(api.database.pool);
  expect((await ask('PUT', '/types/dry?dryRun=1', weather)).statusCode).toBe(201);
  expect(await readAllRows(api.database.pool)).toEqual(rows);
  const first = await put('tagged', echo('a'), { 'if-none-match': '*' });
  expect(first.statusCode).toBe(201);
  expect((await put('tagged', echo('b'), { 'if-none-match': '*' })).statusCode).toBe(412);
  const tag = String(first.headers['etag']);
  const second = await put('tagged', echo('b'), { 'if-match': tag });
  expect([second.statusCode, second.json().version]).toEqual([200, 2]);
  expect((await put('tagged', echo('c'), { 'if-match': tag })).statusCode).toBe(412);
  expect((await ask('DELETE', '/types/tagged', undefined, { 'if-match': tag })).statusCode).toBe(412);
  expect((await put('missing', echo(), { 'if-match': '*' })).statusCode).toBe(412);
  expect((await ask('DELETE', '/types/tagged?dryRun=1')).statusCode).toBe(200);
  expect((await ask('GET', '/types/tagged')).json().manifest.args).toEqual(['b']);
  const gone = await ask('DELETE', '/types/tagged', undefined, { 'if-match': String(second.headers['etag']) });
  expect([gone.statusCode, gone.json().name]).toEqual([200, 'tagged']);
  expect((await ask('DELETE', '/types/tagged')).statusCode).toBe(404);
});

test('a type in use stays, and the answer names who uses it', async () => {
  await put('used', { ...echo(), env: { A: '{a}' }, inputs: { a: { secret: true } } });
  await ask('PUT', '/api-keys/used-key', { type: 'used', values: { a: 'b' } });
  for (const name of ['used-b', 'used-a']) await ask('PUT', `/mcps/${name}`, { spec: { type: 'used' } });
  const refused = await ask('DELETE', '/types/used');
  expect([refused.statusCode, refused.json().type]).toEqual([409, 'urn:minimcp:problem:type-in-use']);
  expect(refused.json().detail).toContain('instances used-a, used-b and api keys used-key');
  await api.database.pool.query(`delete from instances where type = 'used'`);
  expect((await ask('DELETE', '/types/used')).json().detail).toContain('by api keys used-key;');
  await ask('DELETE', '/api-keys/used-key');
  expect((await ask('DELETE', '/types/used')).statusCode).toBe(200);
});

test('a change that running instances do not fit is refused with their names, and done when it is forced', async () => {
  const { pool } = api.database;
  const type = (inputs: object, env: object = {}) => ({ ...echo(), env, inputs });
  const unit = { env: { UNIT: '{unit}' }, open: { unit: {} }, needed: { unit: { required: true } } };
  await put('fit', type(unit.open, unit.env));
  const declare = (name: string, spec: object = {}) => ask('PUT', `/mcps/${name}`, { spec: { type: 'fit', ...spec } });
  // Of those that do not run nobody misses anything.
  await declare('fit-stopped', { running: false });
  await declare('fit-ended', { ttl: '1h' });
  await pool.query(`update instances set expires_at = now() - interval '1 second' where name = 'fit-ended'`);
  expect((await put('fit', type(unit.needed, unit.env))).json().version).toBe(2);
  await put('fit', type(unit.open, unit.env));

  await declare('fit-well', { config: { unit: 'm' } });
  for (const n of [7, 6, 5, 4, 3, 2, 1]) await declare(`fit-${n}`);
  const rows = await readAllRows(pool);
  for (const query of ['', '?dryRun=1', '?force=0']) {
    const refused = await put(`fit${query}`, type(unit.needed, unit.env));
    expect([query, refused.statusCode, refused.json().type]).toEqual([query, 409, 'urn:minimcp:problem:type-misfit']);
    expect(refused.json().detail).toMatch(
      /would be stopped: fit-1 \(spec\.config unit\), fit-2 [^,]+, fit-3 [^,]+, fit-4 [^,]+, fit-5 [^,]+, …; .*\?force=1/,
    );
    expect(refused.json().detail).not.toMatch(/fit-(6|7|well|stopped|ended)/);
  }
  expect(await readAllRows(pool)).toEqual(rows);
  // An input that is gone, too: its value has no place any more.
  expect((await put('fit', type({}))).json().detail).toContain('would be stopped: fit-well (spec.config unit);');
  expect((await put('fit?force=1&dryRun=1', type(unit.needed, unit.env))).statusCode).toBe(200);
  expect(await readAllRows(pool)).toEqual(rows);
  expect((await put('fit?force=1', type(unit.needed, unit.env))).json().version).toBe(4);
  // Those that do not fit as it is hold up nobody.
  const also = { unit: { required: true }, more: { default: 'x' } };
  expect((await put('fit', type(also, { ...unit.env, MORE: '{more}' }))).json().version).toBe(5);
});

test('a change for which an api key lacks a value is refused with the key', async () => {
  const type = (...required: string[]) => ({
    ...echo(),
    env: { A: '{a}', B: '{b}' },
    inputs: Object.fromEntries(['a', 'b'].map(name => [name, { secret: true, required: required.includes(name) }])),
  });
  await put('fit-key', type());
  await ask('PUT', '/api-keys/fit-a', { type: 'fit-key', values: { a: 'x' } });
  await ask('PUT', '/api-keys/fit-both', { type: 'fit-key', values: { a: 'x', b: 'y' } });
  for (const [name, apiKey] of [
    ['fit-key-none', null],
    ['fit-key-a', 'fit-a'],
    ['fit-key-both', 'fit-both'],
    // It waits for its key, whatever the type says.
    ['fit-key-absent', 'fit-absent'],
  ]) {
    expect((await ask('PUT', `/mcps/${name}`, { spec: { type: 'fit-key', apiKey } })).statusCode).toBe(201);
  }
  const refused = await put('fit-key', type('b'));
  expect(refused.json().detail).toContain('fit-key-a (api key fit-a without b), fit-key-none (spec.apiKey);');
  await ask('PUT', '/api-keys/fit-a', { type: 'fit-key', values: { b: 'y' } });
  await ask('PUT', '/mcps/fit-key-none', { spec: { type: 'fit-key', apiKey: 'fit-both' } });
  expect((await put('fit-key', type('b'))).statusCode).toBe(200);
  // One that takes no key any more does not mind the one it was given.
  expect((await put('fit-key', echo())).statusCode).toBe(200);
});

test.each(['github', 'stdio'])('the built-in type %s is neither replaced nor deleted', async name => {
  const before = await readAllRows(api.database.pool);
  for (const response of [await put(name, weather), await ask('DELETE', `/types/${name}`)]) {
    expect([response.statusCode, response.json().type]).toEqual([409, 'urn:minimcp:problem:builtin-type']);
  }
  expect(await readAllRows(api.database.pool)).toEqual(before);
  expect((await ask('GET', `/types/${name}`)).json()).toMatchObject({
    source: 'builtin',
    version: null,
    manifest: null,
  });
});

test('only an admin registers; who reads sees', async () => {
  const token = generateToken('mmcp_');
  await api.database.pool.query(
    `insert into tokens (name, hash, scopes) values ('writer', $1, '{read,write,access}')`,
    [hashToken(token)],
  );
  const headers = { authorization: `Bearer ${token}` };
  expect((await put('by-writer', weather, headers)).statusCode).toBe(403);
  expect((await ask('DELETE', '/types/weather', undefined, headers)).statusCode).toBe(403);
  expect((await ask('GET', '/types/weather', undefined, headers)).statusCode).toBe(200);
});

test('names that every object has are names like others', async () => {
  expect((await put('constructor', echo())).statusCode).toBe(201);
  const declared = await ask('POST', '/mcps', { spec: { type: 'constructor' } });
  expect([declared.statusCode, declared.json().spec.config]).toEqual([201, {}]);
});

test('a list is light, and says of each type what the type alone says of itself', async () => {
  const { inputs } = weather;
  await put('in-list', { ...weather, description: 'x'.repeat(500), inputs: { ...inputs, days: { required: true } } });
  await put('in-list-optional', { ...echo(), env: { A: '{a}' }, inputs: { a: { secret: true } } });
  await put('in-list-keyless', { ...echo(), env: { A: '{a}' }, inputs: { a: { required: true } } });
  const { items } = (await ask('GET', '/types?limit=500')).json<{ items: Record<string, unknown>[] }>();
  const keys = items.filter(item => String(item['name']).startsWith('in-list')).map(item => item['key']);
  expect(keys).toEqual(['required', 'none', 'optional']);
  for (const item of items) {
    const whole = (await ask('GET', `/types/${String(item['name'])}`)).json();
    const { configSchema: _c, keyValuesSchema: _k, manifest: _m, document: _d, ...summary } = typeView.parse(whole);
    expect(item).toEqual(summary);
  }
});

test('pages hold built-in and registered types in one order', async () => {
  for (const name of ['aaa', 'gitlab', 'zzz']) await put(name, echo());
  const all = (await ask('GET', '/types?limit=500')).json().items.map((type: { name: string }) => type.name);
  expect(all).toEqual(all.toSorted());
  expect(all).toEqual(expect.arrayContaining(['aaa', 'github', 'gitlab', 'stdio', 'zzz']));
  const paged: string[] = [];
  for (let cursor = ''; ;) {
    const page = (await ask('GET', `/types?limit=2${cursor}`)).json();
    paged.push(...page.items.map((type: { name: string }) => type.name));
    if (page.nextCursor === null) break;
    cursor = `&cursor=${page.nextCursor}`;
  }
  expect(paged).toEqual(all);
});

test('many PUTs at once: one is the first, and every change is one version', async () => {
  const responses = await Promise.all(Array.from({ length: 8 }, (_, i) => put('raced', echo(String(i)))));
  expect(sortedStatuses(responses)).toEqual([...Array<number>(7).fill(200), 201]);
  expect(responses.map(response => response.json().version).toSorted((a, b) => a - b)).toEqual([
    1, 2, 3, 4, 5, 6, 7, 8,
  ]);
});

test('a declaration and the deletion of its type: one of them wins, and no instance is left without its type', async () => {
  for (let round = 0; round < 12; round++) {
    const name = `race-${round}`;
    await put(name, { ...echo(), env: { A: '{a}' }, inputs: { a: { secret: true } } });
    const [declared, keyed, deleted] = await Promise.all([
      ask('PUT', `/mcps/${name}`, { spec: { type: name } }),
      ask('PUT', `/api-keys/${name}`, { type: name, values: { a: 'b' } }),
      ask('DELETE', `/types/${name}`),
    ]);
    const isThere = (await ask('GET', `/types/${name}`)).statusCode === 200;
    const uses = [declared, keyed].filter(response => response.statusCode === 201).length;
    expect([round, isThere, deleted.statusCode]).toEqual([round, uses > 0, uses > 0 ? 409 : 200]);
    if (!isThere) expect([declared.statusCode, keyed.statusCode]).toEqual([422, 422]);
  }
});

test('a declaration that was checked holds its type until it is stored', async () => {
  await put('locked', echo());
  const client = await api.database.pool.connect();
  try {
    await client.query('begin');
    await client.query(`select from types where name = 'locked' for share`);
    await client.query(`insert into instances (uid, name, type) values (gen_random_uuid(), 'locks-it', 'locked')`);
    const deletion = ask('DELETE', '/types/locked');
    const first = await Promise.race([deletion.then(() => 'answered'), waitForLock('locked')]);
    expect(first).toBe('waits');
    await client.query('commit');
    expect((await deletion).statusCode).toBe(409);
  } finally {
    client.release();
  }
});

/** Until somebody waits for a lock on the row. */
async function waitForLock(name: string): Promise<string> {
  for (;;) {
    const { rows } = await api.database.pool.query(
      `select from pg_stat_activity where wait_event_type = 'Lock' and query like '%from types%' and datname = current_database()`,
    );
    if (rows.length > 0) return 'waits';
    await new Promise(resolve => setTimeout(resolve, 10));
    expect(name).toBe('locked');
  }
}
