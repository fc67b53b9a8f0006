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
  const versions = async (name: string) => {
    const row = await readRow(api.database.pool, `select version, process_version from types where name = '${name}'`);
    return [row['version'], row['process_version']];
  };
  await put('changing', weather);
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
  expect(await versions('changing')).toEqual([2, 1]);
  expect((await put('changing', { ...words, version: '1.2.4' })).json().version).toBe(3);
  expect(await versions('changing')).toEqual([3, 3]);
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
