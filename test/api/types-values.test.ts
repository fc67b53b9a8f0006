import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { readAllRows } from '../support/rows.ts';
import { figmaServerJson } from '../support/types.ts';

/** Values that a type takes by their kind, and its program must never see. */
let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(async () => {
  await api.close();
});

const put = (name: string, body: unknown) => api.ask('PUT', `/api/v1/types/${name}`, body);
const declare = (type: string, config: object) => api.ask('POST', '/api/v1/mcps', { spec: { type, config } });
const [figma] = figmaServerJson.packages;
const packageOf = (fields: object) => ({
  ...figmaServerJson,
  packages: [{ ...figma, environmentVariables: [], ...fields }],
});

test('nobody can declare what a document of 50 kB would make 200 MB of', async () => {
  const variables = { v: { default: 'x'.repeat(20_000) } };
  const body = packageOf({ environmentVariables: [{ name: 'V', value: '{v}'.repeat(10_000), variables }] });
  expect((await put('giant', body)).statusCode).toBe(201);
  const before = await readAllRows(api.database.pool);
  const response = await declare('giant', {});
  expect([response.statusCode, response.json().errors]).toEqual([
    422,
    [{ pointer: '/spec/config', message: expect.stringContaining('env.V of the program longer than 32768') }],
  ]);
  expect(await readAllRows(api.database.pool)).toEqual(before);
  expect((await declare('giant', { v: 'xyz' })).statusCode).toBe(201);
});

test('a value is no option of a package that an admin pinned', async () => {
  const packageArguments = [
    { type: 'positional', valueHint: 'path', isRequired: true },
    { type: 'named', name: '--sort', description: 'Order' },
  ];
  expect((await put('pinned', packageOf({ packageArguments }))).statusCode).toBe(201);
  for (const [config, pointer] of [
    [{ path: '--config=/etc/passwd' }, '/spec/config/path'],
    [{ path: 'a', sort: '--config=/etc/passwd' }, '/spec/config/sort'],
  ] as const) {
    const response = await declare('pinned', config);
    expect([response.statusCode, response.json().errors]).toEqual([
      422,
      [{ pointer, message: expect.stringContaining('must not begin with "-"') }],
    ]);
  }
  expect((await declare('pinned', { path: './--config', sort: 'a-b' })).statusCode).toBe(201);
  // Forms learn it from the schema.
  const { path } = (await api.ask('GET', '/api/v1/types/pinned')).json().configSchema.properties;
  expect(JSON.stringify(path)).toContain(JSON.stringify('^(?!-)'));
});

test('a default is no option either, but may be a choice', async () => {
  const document = (input: object) => ({ title: 'T', command: ['cat'], args: ['{x}'], inputs: { x: input } });
  const message = expect.stringContaining('must not begin with "-"');
  const response = await put('defaulted', document({ default: '-x' }));
  expect([response.statusCode, response.json().errors]).toEqual([422, [{ pointer: '/inputs/x/default', message }]]);
  // Wrong in another way it is told so, once.
  const other = await put('defaulted', document({ default: 5 }));
  expect(other.json().errors).toEqual([
    { pointer: '/inputs/x/default', message: expect.stringContaining('format string') },
  ]);
  expect((await put('defaulted', document({ default: '-x', choices: ['-x'] }))).statusCode).toBe(201);
  // As it is kept, with its default, it is taken again.
  const { name, spec } = await declare('defaulted', {})
    .then(reply => reply.json())
    .then(body => ({ name: body.metadata.name, spec: body.spec }));
  expect(spec.config).toEqual({ x: '-x' });
  expect((await api.ask('PUT', `/api/v1/mcps/${name}`, { spec })).statusCode).toBe(200);
});
