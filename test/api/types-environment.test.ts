import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { figmaServerJson } from '../support/types.ts';

/** What a type may tell its program by environment variables, and what it may not. */
let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(async () => {
  await api.close();
});

const [figma] = figmaServerJson.packages;
const documents = (name: string) => [
  { body: { title: 'T', command: ['cat'], env: { [name]: 'x' } }, pointer: `/env/${name}` },
  {
    body: {
      ...figmaServerJson,
      packages: [{ ...figma, environmentVariables: [...figma!.environmentVariables, { name, value: 'x' }] }],
    },
    pointer: '/packages/0/environmentVariables/1/name',
  },
];

test.each([
  'OPENSSL_CONF',
  'NODE_PATH',
  'NODE_OPTIONS',
  'NODE_EXTRA_CA_CERTS',
  'NODE_TLS_REJECT_UNAUTHORIZED',
  'HTTPS_PROXY',
  'https_proxy',
  'ALL_PROXY',
  'GLOBAL_AGENT_HTTP_PROXY',
  'SSL_CERT_FILE',
  'SSLKEYLOGFILE',
  'CURL_CA_BUNDLE',
  'BASH_ENV',
  'npm_config_registry',
  'NPM_CONFIG_REGISTRY',
  'LD_AUDIT',
  'DYLD_INSERT_LIBRARIES',
  'GIT_SSH_COMMAND',
  'GIT_CONFIG_COUNT',
  'GIT_EXEC_PATH',
  'PYTHONPATH',
  'PERL5OPT',
  'JAVA_TOOL_OPTIONS',
  'PATH',
  'HOME',
  'MINIMCP_OWNER',
])('no type sets %s', async name => {
  for (const { body, pointer } of documents(name)) {
    const response = await api.ask('PUT', '/api/v1/types/redirected', body);
    expect([response.statusCode, response.json().errors]).toEqual([
      422,
      [{ pointer, message: expect.stringContaining('is reserved') }],
    ]);
  }
  expect((await api.ask('GET', '/api/v1/types/redirected')).statusCode).toBe(404);
});

test('who is refused reads where a proxy is set instead, and can set it there', async () => {
  const response = await api.ask('PUT', '/api/v1/types/redirected', documents('HTTPS_PROXY')[0]!.body);
  expect(response.json().errors[0].message).toContain('spec.config.env of an instance of type stdio');
  const config = { command: ['cat'], env: { HTTPS_PROXY: 'http://proxy.example', NODE_EXTRA_CA_CERTS: '/ca.pem' } };
  expect((await api.ask('POST', '/api/v1/mcps', { spec: { type: 'stdio', config } })).statusCode).toBe(201);
  const values = { HTTPS_PROXY: 'http://user:password@proxy.example' };
  expect((await api.ask('PUT', '/api/v1/api-keys/proxy', { type: 'stdio', values })).statusCode).toBe(201);
});

test.each([
  'NODE_ENV',
  'GITHUB_TOKEN',
  'GIT_BASE_DIR',
  'GIT_SIGN_COMMITS',
  'GIT_USERNAME',
  'PROXY_URL',
  'MY_NODE_PATH',
])('a type sets %s', async name => {
  for (const { body } of documents(name)) {
    expect([200, 201]).toContain((await api.ask('PUT', '/api/v1/types/honest', body)).statusCode);
  }
});
