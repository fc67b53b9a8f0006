import { afterAll, beforeAll, expect, test } from 'vitest';
import { problem } from '../../specs/problem.ts';
import { createTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { readAllRows } from '../support/rows.ts';

let api: TestApi;
let before: Record<string, unknown[]>;
const stdio = { type: 'stdio', config: { command: ['cat'] } };
const past = '2020-01-01T00:00:00Z';

beforeAll(async () => {
  api = await createTestApi();
  await api.ask('PUT', '/api/v1/api-keys/figma-like', { type: 'stdio', values: { TOKEN: 'a-long-enough-value' } });
  await api.ask('PUT', '/api/v1/mcps/present', { metadata: { labels: { a: 'b' } }, spec: { ...stdio, ttl: '1h' } });
  before = await readAllRows(api.database.pool);
});
afterAll(async () => {
  await api.close();
});

/** Spec, the pointers that are complained about, and a piece of what the complaint says is accepted. */
const badSpecs: [title: string, spec: unknown, pointers: string[], accepted: string][] = [
  ['no spec', undefined, ['/spec'], 'an object'],
  ['null', null, ['/spec'], 'an object'],
  ['a text', 'stdio', ['/spec'], 'an object'],
  ['an array', [stdio], ['/spec'], 'an object'],
  ['no type', { config: {} }, ['/spec/type'], 'a string'],
  ['an unknown type', { type: 'jira' }, ['/spec/type'], 'gmail, stdio'],
  ['a type of Object.prototype', { type: 'constructor' }, ['/spec/type'], 'gmail, stdio'],
  ['a type that is no label', { type: 'GitHub' }, ['/spec/type'], 'DNS label'],
  ['an unknown field', { ...stdio, colour: 'red' }, ['/spec/colour'], 'expiresAt'],
  ['two unknown fields', { ...stdio, a: 1, 'b/c~d': 1 }, ['/spec/a', '/spec/b~1c~0d'], 'running'],
  ['running as text', { ...stdio, running: 'yes' }, ['/spec/running'], 'a boolean'],
  ['an unknown restart policy', { ...stdio, restart: 'sometimes' }, ['/spec/restart'], '"on-failure"'],
  ['too little memory', { ...stdio, resources: { memoryMiB: 1 } }, ['/spec/resources/memoryMiB'], 'at least 32'],
  ['memory as a fraction', { ...stdio, resources: { memoryMiB: 64.5 } }, ['/spec/resources/memoryMiB'], 'whole number'],
  ['no cpu', { ...stdio, resources: { cpus: 0 } }, ['/spec/resources/cpus'], 'at least 0.01'],
  ['an unknown resource', { ...stdio, resources: { gpus: 1 } }, ['/spec/resources/gpus'], 'memoryMiB, cpus'],
  ['no duration', { ...stdio, ttl: 'soon' }, ['/spec/ttl'], '"2h"'],
  ['a ttl as number', { ...stdio, ttl: 60 }, ['/spec/ttl'], 'a string'],
  ['a ttl of nothing', { ...stdio, ttl: '0s' }, ['/spec/ttl'], '1s to 10 years'],
  ['a ttl of a century', { ...stdio, ttl: '36500d' }, ['/spec/ttl'], '1s to 10 years'],
  ['expiresAt in the past', { ...stdio, expiresAt: past }, ['/spec/expiresAt'], 'in the future'],
  ['expiresAt without a zone', { ...stdio, expiresAt: '2999-01-01T00:00:00' }, ['/spec/expiresAt'], 'with a zone'],
  ['expiresAt as number', { ...stdio, expiresAt: 4_102_444_800 }, ['/spec/expiresAt'], 'ISO 8601'],
  ['a day that does not exist', { ...stdio, expiresAt: '2999-02-30T00:00:00Z' }, ['/spec/expiresAt'], 'ISO 8601'],
  [
    'the year 10000',
    { ...stdio, expiresAt: '9999-12-31T23:59:59-23:59' },
    ['/spec/expiresAt'],
    'before the year 10000',
  ],
  ['the year 0', { ...stdio, expiresAt: '0000-01-01T00:00:00Z' }, ['/spec/expiresAt'], 'in the future'],
  ['both ends', { ...stdio, ttl: '1h', expiresAt: '2999-01-01T00:00:00Z' }, ['/spec/ttl'], 'either ttl or expiresAt'],
  ['an endless ttl', { ...stdio, ttl: '1s'.repeat(33) }, ['/spec/ttl'], 'at most 64 characters'],
  ['no key where one is needed', { type: 'github' }, ['/spec/apiKey'], 'an api key of type github'],
  ['an empty key name', { type: 'github', apiKey: '' }, ['/spec/apiKey'], 'DNS label'],
  ['a key of another type', { type: 'github', apiKey: 'figma-like' }, ['/spec/apiKey'], 'of type github'],
  ['config that is a list', { type: 'stdio', config: [] }, ['/spec/config'], 'an object'],
  [
    'config of the wrong kind',
    { type: 'github', apiKey: 'k', config: { readOnly: 'yes' } },
    ['/spec/config/readOnly'],
    'a boolean',
  ],
  [
    'an unknown toolset',
    { type: 'github', apiKey: 'k', config: { toolsets: ['repos', 'all'] } },
    ['/spec/config/toolsets/1'],
    '"issues"',
  ],
  [
    'no toolset',
    { type: 'github', apiKey: 'k', config: { toolsets: [] } },
    ['/spec/config/toolsets'],
    'at least 1 item',
  ],
  [
    'an unknown config field',
    { type: 'stdio', config: { command: ['cat'], port: 1 } },
    ['/spec/config/port'],
    'command',
  ],
  [
    'a URL of another kind',
    { type: 'github', apiKey: 'k', config: { baseUrl: 'file:///etc/passwd' } },
    ['/spec/config/baseUrl'],
    'http or https',
  ],
  ...['http://github.example/api/v3', 'http://127.0.0.1.example', 'http://localhost.example', 'http://[::2]'].map(
    (baseUrl): (typeof badSpecs)[number] => [
      `a token in clear to ${baseUrl}`,
      { type: 'github', apiKey: 'k', config: { baseUrl } },
      ['/spec/config/baseUrl'],
      'https',
    ],
  ),
  [
    'a URL without end',
    { type: 'github', apiKey: 'k', config: { baseUrl: `https://a/${'b'.repeat(2048)}` } },
    ['/spec/config/baseUrl'],
    'at most 2048 characters',
  ],
  [
    'toolsets without end',
    { type: 'github', apiKey: 'k', config: { toolsets: Array(65).fill('repos') } },
    ['/spec/config/toolsets'],
    'at most 64 items',
  ],
  [
    'a version without end',
    { type: 'stdio', config: { package: 'a', version: `1.0.0-${'a'.repeat(123)}` } },
    ['/spec/config/version'],
    'at most 128 characters',
  ],
  [
    'a package without end, told once',
    { type: 'stdio', config: { package: 'A'.repeat(215), version: '1.0.0' } },
    ['/spec/config/package'],
    'at most 214 characters',
  ],
  [
    'a directory without end',
    { ...stdio, config: { command: ['cat'], cwd: `/${'a'.repeat(4096)}` } },
    ['/spec/config/cwd'],
    'at most 4096 characters',
  ],
  [
    'too many variables',
    {
      ...stdio,
      config: { command: ['cat'], env: Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`V${i}`, ''])) },
    },
    ['/spec/config/env'],
    'at most 256 variables',
  ],
  [
    'a variable of a long name',
    { ...stdio, config: { command: ['cat'], env: { ['A'.repeat(257)]: '' } } },
    [`/spec/config/env/${'A'.repeat(257)}`],
    'at most 256 characters',
  ],
  ['neither command nor package', { type: 'stdio' }, ['/spec/config'], 'either command, or package'],
  [
    'a range of versions',
    { type: 'stdio', config: { package: 'a', version: '^1.0.0' } },
    ['/spec/config/version'],
    'exact',
  ],
  ['a package without version', { type: 'stdio', config: { package: 'a' } }, ['/spec/config/version'], 'exact'],
  [
    'a reserved variable',
    { ...stdio, config: { command: ['cat'], env: { PATH: '/' } } },
    ['/spec/config/env/PATH'],
    'reserved',
  ],
  ['NUL in a text', { ...stdio, config: { command: ['a\0b'] } }, ['/spec/config/command/0'], 'NUL'],
  [
    'NUL in a URL',
    { type: 'github', apiKey: 'k', config: { baseUrl: 'http://a/\0' } },
    ['/spec/config/baseUrl'],
    'NUL',
  ],
  ['half a character', { ...stdio, config: { command: ['\ud800'] } }, ['/spec/config/command/0'], 'surrogate'],
  [
    'several faults at once',
    { type: 'github', config: { readOnly: 1, x: 2 } },
    ['/spec/apiKey', '/spec/config/readOnly', '/spec/config/x'],
    'a boolean',
  ],
];

test.each(badSpecs)(
  'POST, PUT and PUT of an instance that exists refuse %s',
  async (_title, spec, pointers, accepted) => {
    for (const [method, url] of [
      ['POST', '/api/v1/mcps'],
      ['PUT', '/api/v1/mcps/absent'],
      ['PUT', '/api/v1/mcps/present'],
    ] as const) {
      const response = await api.ask(method, url, { spec });
      expect(response.statusCode).toBe(422);
      expect(response.headers['content-type']).toContain('application/problem+json');
      const { errors = [], detail, type } = problem.parse(response.json());
      expect(type).toBe('urn:minimcp:problem:invalid-body');
      expect(errors.map(error => error.pointer).toSorted()).toEqual(pointers);
      expect(errors.map(error => error.message).join()).toContain(accepted);
      expect(detail).toContain(pointers[0]);
    }
    expect(await readAllRows(api.database.pool)).toEqual(before);
  },
);

test.each(['https://github.example/api/v3', 'http://localhost:8080', 'http://127.0.0.1', 'http://[::1]:1/'])(
  'github at %s is taken',
  async baseUrl => {
    const spec = { type: 'github', apiKey: 'k', config: { baseUrl } };
    expect((await api.ask('PUT', '/api/v1/mcps/absent?dryRun=1', { spec })).statusCode).toBe(201);
  },
);

test('an api key of too many values is refused', async () => {
  const values = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`V${i}`, 'value']));
  const response = await api.ask('PUT', '/api/v1/api-keys/many', { type: 'stdio', values });
  expect([response.statusCode, response.json().errors]).toEqual([
    422,
    [{ pointer: '/values', message: 'give at most 64 values' }],
  ]);
});

test.each([
  ['Upper', 'DNS label'],
  ['', 'DNS label'],
  ['-a', 'DNS label'],
  ['a_b', 'DNS label'],
  ['a.b', 'DNS label'],
  ['a'.repeat(64), 'DNS label'],
  [7, 'a string'],
  [null, 'a string'],
])('the name %j is refused', async (name, accepted) => {
  const response = await api.ask('POST', '/api/v1/mcps', { metadata: { name }, spec: stdio });
  expect(response.statusCode).toBe(422);
  expect(response.json().errors).toMatchObject([
    { pointer: '/metadata/name', message: expect.stringContaining(accepted) },
  ]);
  if (typeof name === 'string' && name !== '') {
    const put = await api.ask('PUT', `/api/v1/mcps/${encodeURIComponent(name)}`, { spec: stdio });
    expect([put.statusCode, put.json().errors[0].pointer]).toEqual([422, '/metadata/name']);
    for (const method of ['GET', 'DELETE'] as const) {
      expect((await api.ask(method, `/api/v1/mcps/${encodeURIComponent(name)}`)).statusCode).toBe(404);
    }
  }
  expect(await readAllRows(api.database.pool)).toEqual(before);
});

test.each([
  [{ 'bad name': 'x' }, ['/metadata/labels/bad name'], 'label name'],
  [{ team: 'a b' }, ['/metadata/labels/team'], '63 letters'],
  [{ team: 1 }, ['/metadata/labels/team'], 'a string'],
  [{ 'a/b/c': 'x' }, ['/metadata/labels/a~1b~1c'], 'label name'],
  [Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`l${i}`, ''])), ['/metadata/labels'], '64 labels'],
  ['team=a', ['/metadata/labels'], 'an object'],
])('the labels %j are refused', async (labels, pointers, accepted) => {
  const response = await api.ask('PUT', '/api/v1/mcps/present', { metadata: { labels }, spec: stdio });
  expect(response.statusCode).toBe(422);
  const { errors } = response.json();
  expect(errors.map((error: { pointer: string }) => error.pointer)).toEqual(pointers);
  expect(errors[0].message).toContain(accepted);
  expect(await readAllRows(api.database.pool)).toEqual(before);
});

test.each([
  ['[]', [''], 'an object'],
  ['"text"', [''], 'an object'],
  ['null', [''], 'is required'],
  ['', [''], 'is required'],
  ['{"spec":{"type":"stdio","config":{"command":["cat"]}},"kind":"Mcp"}', ['/kind'], 'metadata, spec, status'],
  [
    '{"metadata":{"namespace":"x"},"spec":{"type":"stdio","config":{"command":["cat"]}}}',
    ['/metadata/namespace'],
    'labels',
  ],
])('the body %s is refused', async (body, pointers, accepted) => {
  const response = await api.ask('POST', '/api/v1/mcps', body);
  expect(response.statusCode).toBe(422);
  expect(response.json().errors.map((error: { pointer: string }) => error.pointer)).toEqual(pointers);
  expect(response.json().errors[0].message).toContain(accepted);
  expect(await readAllRows(api.database.pool)).toEqual(before);
});

test.each([
  ['not JSON', '{"spec": ghp_secretsecret', {}, 400, 'invalid-json'],
  ['a cut-off body', '{"spec":', {}, 400, 'invalid-json'],
  ['a prototype', '{"spec":{"type":"stdio","__proto__":{"running":false}}}', {}, 400, 'invalid-json'],
  ['text', 'hello', { 'content-type': 'text/plain' }, 415, 'unsupported-media-type'],
  ['a form', 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'unsupported-media-type'],
  ['a patch', '{}', { 'content-type': 'application/merge-patch+json' }, 415, 'unsupported-media-type'],
  ['too much', JSON.stringify({ a: 'x'.repeat(1_048_576) }), {}, 413, 'body-too-large'],
  ['depth', `${'['.repeat(200_000)}${']'.repeat(200_000)}`, {}, 422, 'invalid-body'],
])('%s as a body is a problem document', async (_title, body, headers, status, kind) => {
  for (const [method, url] of [
    ['POST', '/api/v1/mcps'],
    ['PUT', '/api/v1/mcps/present'],
    ['PUT', '/api/v1/api-keys/k'],
    ['POST', '/api/v1/mcps/present/extend'],
  ] as const) {
    const response = await api.ask(method, url, body, headers);
    expect(response.statusCode).toBe(status);
    expect(problem.parse(response.json())).toMatchObject({ status, type: `urn:minimcp:problem:${kind}` });
    // A parser's message would repeat what was sent.
    expect(response.body).not.toContain('ghp_');
  }
  expect(await readAllRows(api.database.pool)).toEqual(before);
});

test.each([
  ['POST', '/api/v1/mcps/present/extend', {}, '', 'exactly one'],
  ['POST', '/api/v1/mcps/present/extend', { ttl: '1h', expiresAt: null }, '', 'exactly one'],
  ['POST', '/api/v1/mcps/present/extend', { ttl: 'x' }, '/ttl', 'duration'],
  ['POST', '/api/v1/mcps/present/extend', { expiresAt: past }, '/expiresAt', 'in the future'],
  ['POST', '/api/v1/mcps/present/extend', { expiresAt: '9999-12-31T23:59:59-23:59' }, '/expiresAt', 'year 10000'],
  ['POST', '/api/v1/mcps/present/extend', { ttl: '1h', by: 'me' }, '/by', 'ttl, expiresAt'],
  ['POST', '/api/v1/mcps/present/restart', { force: true }, '/force', 'not known'],
  ['POST', '/api/v1/mcps/present/access/rotate', [], '', 'an object'],
  ['PATCH', '/api/v1/mcps/present', [], '', 'an object'],
  ['PATCH', '/api/v1/mcps/present', { spec: null }, '/spec', 'an object'],
  ['PATCH', '/api/v1/mcps/present', { metadata: null }, '/metadata', 'an object'],
  ['PATCH', '/api/v1/mcps/present', { spec: { colour: null } }, '/spec/colour', 'running'],
  ['PATCH', '/api/v1/mcps/present', { spec: { colour: 1 } }, '/spec/colour', 'running'],
  ['PATCH', '/api/v1/mcps/present', { metadata: { kind: null } }, '/metadata/kind', 'labels'],
  ['PATCH', '/api/v1/mcps/present', { kind: null }, '/kind', 'spec'],
  ['PATCH', '/api/v1/mcps/present', { spec: { type: null } }, '/spec/type', 'is required'],
  ['PATCH', '/api/v1/mcps/present', { spec: { config: { command: null } } }, '/spec/config', 'either command'],
  ['PATCH', '/api/v1/mcps/present', { spec: { config: { env: { a: 1 } } } }, '/spec/config/env/a', 'a string'],
  ['PATCH', '/api/v1/mcps/present', { spec: { expiresAt: past } }, '/spec/expiresAt', 'in the future'],
  [
    'PATCH',
    '/api/v1/mcps/present',
    { spec: { ttl: '1h', expiresAt: '2999-01-01T00:00:00Z' } },
    '/spec/ttl',
    'not both',
  ],
  ['PATCH', '/api/v1/mcps/present', { metadata: { name: 'other' } }, '/metadata/name', '"present"'],
  ['PATCH', '/api/v1/mcps/present', { metadata: { labels: { 'x y': '1' } } }, '/metadata/labels/x y', 'label name'],
  ['PUT', '/api/v1/mcps/present', { metadata: { name: 'other' }, spec: stdio }, '/metadata/name', '"present"'],
  ['PUT', '/api/v1/mcps/absent', { metadata: { name: 'other' }, spec: stdio }, '/metadata/name', '"absent"'],
] as const)('%s %s of %j points at %j', async (method, url, body, pointer, accepted) => {
  const response = await api.ask(method, url, body);
  expect(response.statusCode).toBe(422);
  expect(problem.parse(response.json()).errors).toMatchObject([
    { pointer, message: expect.stringContaining(accepted) },
  ]);
  expect(await readAllRows(api.database.pool)).toEqual(before);
});

test.each([
  ['POST', '/api/v1/mcps?dryrun=1', '?dryrun'],
  ['POST', '/api/v1/mcps?dryRun=maybe', '?dryRun'],
  ['POST', '/api/v1/mcps?dryRun=1&dryRun=0', '?dryRun'],
  ['PUT', '/api/v1/mcps/present?force=1', '?force'],
  ['DELETE', '/api/v1/mcps/present?wait=ever', '?wait'],
  ['DELETE', '/api/v1/mcps/present?wait=6m', '?wait'],
  ['DELETE', '/api/v1/mcps/present?grace=1s', '?grace'],
] as const)('%s %s is 400', async (method, url, pointer) => {
  const response = await api.ask(method, url, method === 'DELETE' ? undefined : { spec: stdio });
  expect([response.statusCode, response.json().errors[0].pointer]).toEqual([400, pointer]);
  expect(await readAllRows(api.database.pool)).toEqual(before);
});

test.each(['GET', 'PATCH', 'DELETE'] as const)('%s of what does not exist is 404', async method => {
  for (const name of ['absent', 'a%00b', '%2e%2e', 'x'.repeat(900)]) {
    const response = await api.ask(method, `/api/v1/mcps/${name}`, method === 'PATCH' ? {} : undefined);
    expect([response.statusCode, response.json().type]).toEqual([404, 'urn:minimcp:problem:not-found']);
  }
  expect(await readAllRows(api.database.pool)).toEqual(before);
});

test.each(['extend', 'restore', 'restart', 'access/rotate'])('%s of what does not exist is 404', async action => {
  const body = ['extend', 'restore'].includes(action) ? { ttl: '1h' } : undefined;
  expect((await api.ask('POST', `/api/v1/mcps/absent/${action}`, body)).statusCode).toBe(404);
  expect(await readAllRows(api.database.pool)).toEqual(before);
});
