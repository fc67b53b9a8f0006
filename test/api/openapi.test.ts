import { OpenAPIBackend } from 'openapi-backend';
import type { Document } from 'openapi-backend';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { placeInstance, registerNode } from '../support/observed.ts';

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: string[];
  readonly security?: unknown[];
  readonly requestBody?: { required?: boolean; content: Record<string, { schema: object }> };
  readonly parameters?: { name: string; in: string }[];
  readonly responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>;
}

let api: TestApi;
let document: {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object> };
};
let backend: OpenAPIBackend;

beforeAll(async () => {
  api = await createTestApi();
  document = (await api.ask('GET', '/api/v1/openapi.json')).json();
  // It knows OpenAPI 3.0 alone as a document, but holds answers against the schemas of this one.
  backend = new OpenAPIBackend({
    definition: structuredClone(document) as unknown as Document,
    quick: true,
    ajvOpts: { strict: false, validateFormats: false },
  });
  await backend.init();
});
afterAll(async () => {
  await api.close();
});

const operations = (): [path: string, method: string, operation: Operation][] =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => [path, method, operation] as [string, string, Operation]),
  );

test('it is OpenAPI 3.1, served under both of its names', async () => {
  expect(document.openapi).toBe('3.1.0');
  for (const url of ['/openapi.json', '/api/openapi.json']) {
    expect((await api.ask('GET', url)).json()).toEqual(document);
  }
});

test('every operation of the contract is there', () => {
  expect(
    operations()
      .map(([path, method]) => `${method.toUpperCase()} ${path.replace('/api/v1', '')}`)
      .toSorted(),
  ).toEqual([
    'DELETE /api-keys/{name}',
    'DELETE /mcps/{name}',
    'DELETE /types/{name}',
    'GET /api-keys',
    'GET /api-keys/{name}',
    'GET /controllers',
    'GET /events',
    'GET /livez',
    'GET /mcps',
    'GET /mcps/{name}',
    'GET /mcps/{name}/access',
    'GET /mcps/{name}/connect',
    'GET /mcps/{name}/events',
    'GET /nodes',
    'GET /openapi.json',
    'GET /readyz',
    'GET /types',
    'GET /types/{name}',
    'PATCH /mcps/{name}',
    'POST /mcps',
    'POST /mcps/{name}/access/rotate',
    'POST /mcps/{name}/extend',
    'POST /mcps/{name}/restart',
    'POST /mcps/{name}/restore',
    'PUT /api-keys/{name}',
    'PUT /mcps/{name}',
    'PUT /types/{name}',
  ]);
});

test('every route that answers is in it, and the other way round', async () => {
  for (const [path, method] of operations()) {
    const url = path.replace('{name}', 'none');
    const response = await api.ask(method.toUpperCase(), url, method === 'get' || method === 'delete' ? undefined : {});
    expect([
      path,
      method,
      response.statusCode === 405,
      response.json().detail?.startsWith('there is no GET'),
    ]).not.toEqual([path, method, true, true]);
  }
});

test('every operation says what it takes, answers and how it fails', () => {
  const ids = operations().map(([, , operation]) => operation.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const [path, method, operation] of operations()) {
    const where = `${method} ${path}`;
    expect([where, operation.summary.length > 0, operation.tags.length > 0]).toEqual([where, true, true]);
    const codes = Object.keys(operation.responses);
    expect([where, codes.some(code => code.startsWith('2'))]).toEqual([where, true]);
    for (const [code, response] of Object.entries(operation.responses)) {
      expect([where, code, response.description.length > 0]).toEqual([where, code, true]);
      if (Number(code) < 400) continue;
      expect([where, code, response.content]).toEqual([
        where,
        code,
        { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      ]);
    }
    const isPublic = operation.security?.length === 0;
    expect([where, isPublic]).toEqual([where, ['/livez', '/readyz'].includes(path)]);
    expect([where, codes.includes('401') && codes.includes('403')]).toEqual([where, !isPublic]);
    expect([where, codes.includes('503')]).toEqual([where, true]);
    expect([where, codes.includes('404')]).toEqual([where, path.includes('{name}')]);
    expect([where, codes.includes('422')]).toEqual([where, method !== 'get']);
    expect([where, operation.requestBody !== undefined]).toEqual([where, ['post', 'put', 'patch'].includes(method)]);
    for (const { name, in: place } of operation.parameters ?? []) {
      expect([where, name, place]).toEqual([where, name, expect.stringMatching(/^(path|query|header)$/)]);
    }
  }
  expect(document.paths['/api/v1/mcps']!['get']!.responses['200']!.content).toHaveProperty(['text/event-stream']);
  expect(document.paths['/api/v1/mcps/{name}']!['patch']!.requestBody!.content).toHaveProperty([
    'application/merge-patch+json',
  ]);
  expect(document.paths['/api/v1/mcps']!['post']!.parameters!.map(({ name }) => name).toSorted()).toEqual([
    'dryRun',
    'idempotency-key',
  ]);
});

test('every reference leads somewhere and nothing is left over', () => {
  const text = JSON.stringify(document);
  const used = new Set([...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(match => match[1]));
  expect(used).toEqual(new Set(Object.keys(document.components.schemas)));
  expect(text).not.toContain('PLACEHOLDER');
});

test('answers are what the document says, and the document knows every status', async () => {
  await registerNode(api.database.pool, 'here');
  const spec = { type: 'stdio', config: { command: ['cat'] }, ttl: '1h' };
  const created = (
    await api.ask('POST', '/api/v1/mcps', { metadata: { name: 'one', labels: { a: 'b' } }, spec })
  ).json();
  await placeInstance(api.database.pool, created.metadata.uid, 'here', 3001);
  await api.database.pool.query(`insert into controllers (node, name, pid) values ('here', 'process', 1)`);
  const asked: [
    operationId: string,
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    status: number,
    body?: unknown,
  ][] = [
    ['declareInstance', 'POST', '/mcps', 201, { spec }],
    ['declareInstance', 'POST', '/mcps', 409, { metadata: { name: 'one' }, spec }],
    ['declareInstance', 'POST', '/mcps', 422, {}],
    ['putInstance', 'PUT', '/mcps/two', 201, { spec }],
    ['putInstance', 'PUT', '/mcps/two', 200, { spec }],
    ['patchInstance', 'PATCH', '/mcps/two', 200, { spec: { running: false } }],
    ['listInstances', 'GET', '/mcps', 200],
    ['listInstances', 'GET', '/mcps?limit=0', 400],
    ['getInstance', 'GET', '/mcps/one', 200],
    ['getInstance', 'GET', '/mcps/none', 404],
    ['extendInstance', 'POST', '/mcps/one/extend', 200, { ttl: '2h' }],
    ['restoreInstance', 'POST', '/mcps/one/restore', 409, { ttl: '2h' }],
    ['restoreInstance', 'POST', '/mcps/two/restore', 200, { ttl: '2h' }],
    ['restartInstance', 'POST', '/mcps/one/restart', 200],
    ['getAccess', 'GET', '/mcps/one/access', 200],
    ['getAccess', 'GET', '/mcps/two/access', 409],
    ['getConnection', 'GET', '/mcps/one/connect', 200],
    ['getConnection', 'GET', '/mcps/one/connect?client=codex', 200],
    ['getConnection', 'GET', '/mcps/one/connect?client=emacs', 400],
    ['getConnection', 'GET', '/mcps/two/connect', 409],
    ['rotateAccess', 'POST', '/mcps/two/access/rotate', 200],
    ['listInstanceEvents', 'GET', '/mcps/one/events', 200],
    ['listEvents', 'GET', '/events', 200],
    ['deleteInstance', 'DELETE', '/mcps/two', 202],
    ['listTypes', 'GET', '/types', 200],
    ['getType', 'GET', '/types/github', 200],
    ['putType', 'PUT', '/types/echo', 201, { title: 'Echo', command: ['cat'] }],
    ['putType', 'PUT', '/types/echo', 200, { title: 'Echo', command: ['cat'], cwd: '/' }],
    ['putType', 'PUT', '/types/github', 409, { title: 'Echo', command: ['cat'] }],
    ['getType', 'GET', '/types/echo', 200],
    ['deleteType', 'DELETE', '/types/echo', 200],
    ['putApiKey', 'PUT', '/api-keys/k', 201, { type: 'github', values: { token: 'long-enough-to-see' } }],
    ['getApiKey', 'GET', '/api-keys/k', 200],
    ['listApiKeys', 'GET', '/api-keys', 200],
    ['deleteApiKey', 'DELETE', '/api-keys/k', 200],
    ['listNodes', 'GET', '/nodes', 200],
    ['listControllers', 'GET', '/controllers', 200],
  ];
  for (const [operationId, method, path, status, body] of asked) {
    const response = await api.ask(method, `/api/v1${path}`, body);
    expect([operationId, response.statusCode]).toEqual([operationId, status]);
    const operation = operations().find(([, , { operationId: id }]) => id === operationId)![2];
    const [mediaType] = String(response.headers['content-type']).split(';');
    expect([operationId, status, operation.responses[status]?.content]).toEqual([
      operationId,
      status,
      expect.objectContaining({ [mediaType!]: expect.anything() }),
    ]);
    if (status >= 400) continue;
    const { errors } = backend.validateResponse(response.json(), operationId, status);
    expect([operationId, errors]).toEqual([operationId, null]);
  }
  // The check itself can fail.
  expect(backend.validateResponse({ metadata: {} }, 'getInstance', 200).errors).not.toBe(null);
});
