import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { parse as parseToml } from 'smol-toml';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { z } from 'zod';
import type { Instance } from '../../specs/instance.ts';
import { guides } from '../../src/api/clients/guides.ts';
import { toCommand, tomlString } from '../../src/api/clients/quoting.ts';
import { clientNames } from '../../src/api/schemas.ts';
import type { ClientName, connection } from '../../src/api/schemas.ts';
import { generateToken, hashToken } from '../../src/secrets/api-token.ts';
import { createTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { endLeaseNow, placeInstance, registerNode, writePhase } from '../support/observed.ts';

type Connection = z.infer<typeof connection>;
type Tree = Record<string, never>;

let api: TestApi;
let ports = 3200;

/** Names at the edges of what a DNS label may be, and addresses at the edges of what a URL may be. */
const places = [
  { name: 'gh-demo', node: 'here', origin: 'http://127.0.0.1' },
  { name: '7', node: 'here', origin: 'http://127.0.0.1' },
  { name: '0x-1e5', node: 'six', origin: 'http://[::1]' },
  { name: `a${'-b'.repeat(31)}`, node: 'far', origin: 'http://10.1.2.3' },
  { name: 'true', node: 'named', origin: 'http://mcp.example.com' },
  { name: 'open', node: 'every', origin: 'http://127.0.0.1' },
  { name: 'open-six', node: 'every-six', origin: 'http://[::1]' },
] as const;
const placed = new Map<string, { url: string; token: string; expiresAt: string }>();

beforeAll(async () => {
  api = await createTestApi();
  for (const [node, host] of [
    ['here', '127.0.0.1'],
    ['six', '::1'],
    ['far', '10.1.2.3'],
    ['named', 'mcp.example.com'],
    ['every', '0.0.0.0'],
    ['every-six', '::'],
  ] as const) {
    await registerNode(api.database.pool, node, 0, host);
  }
  for (const { name, node } of places) {
    const { metadata } = await declare(name);
    await placeInstance(api.database.pool, metadata.uid, node, ++ports);
    const access = await api.ask('GET', `/api/v1/mcps/${name}/access`);
    expect(access.statusCode).toBe(200);
    placed.set(name, access.json());
  }
});
afterAll(async () => {
  await api.close();
});

async function declare(name: string, spec: object = {}): Promise<Instance> {
  const whole = { type: 'stdio', config: { command: ['cat'] }, ttl: '1h', ...spec };
  const response = await api.ask('PUT', `/api/v1/mcps/${name}`, { spec: whole });
  expect(response.statusCode).toBe(201);
  return response.json<Instance>();
}

const connect = (name: string, query = '') => api.ask('GET', `/api/v1/mcps/${name}/connect${query}`);

async function askFor(name: string, client: ClientName): Promise<Connection> {
  const response = await connect(name, `?client=${client}`);
  expect(response.statusCode).toBe(200);
  return response.json<Connection>();
}

const read = ({ format }: Connection, snippet: string): Tree =>
  (format === 'toml' ? parseToml(snippet) : JSON.parse(snippet)) as Tree;

/** What a shell makes of a line: the words, after the assignments before them. */
function shell(line: string): string[] {
  const output = execFileSync('/bin/sh', ['-c', `printf '%s\\0' ${line}`], { encoding: 'utf8' });
  return output.split('\0').slice(0, -1);
}

const words = ({ argv, env }: NonNullable<Connection['command']>): string[] => [
  ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
  ...argv,
];

type FileOf = (name: string, url: string, headers: { Authorization: string }) => object;

/** What each client's file has to be. */
const files: Record<ClientName, FileOf> = {
  'claude-code': (name, url, headers) => ({ mcpServers: { [name]: { type: 'http', url, headers } } }),
  cursor: (name, url, headers) => ({ mcpServers: { [name]: { url, headers } } }),
  windsurf: (name, url, headers) => ({ mcpServers: { [name]: { serverUrl: url, headers } } }),
  gemini: (name, url, headers) => ({ mcpServers: { [name]: { httpUrl: url, headers } } }),
  vscode: (name, url, headers) => ({ servers: { [name]: { type: 'http', url, headers } } }),
  codex: (name, url, headers) => ({ mcp_servers: { [name]: { url, http_headers: headers } } }),
  'claude-desktop': bridgeFile,
  'mcp-remote': bridgeFile,
};

function bridgeFile(...[name, url, headers]: Parameters<FileOf>): object {
  const variable = `MINIMCP_${name.toUpperCase().replaceAll('-', '_')}_AUTHORIZATION`;
  // To mcp-remote these two alone are this machine.
  const plain = /^http:\/\/(127\.0\.0\.1|localhost):/.test(url) ? [] : ['--allow-http'];
  const args = ['-y', 'mcp-remote@0.15.1', url, '--header', `Authorization:\${${variable}}`].concat(
    ['--transport', 'http-only'],
    plain,
  );
  return { mcpServers: { [name]: { command: 'npx', args, env: { [variable]: headers.Authorization } } } };
}

test.each(places)('all eight clients are told of $name at $origin', async ({ name, node, origin }) => {
  const { url, token, expiresAt } = placed.get(name)!;
  expect(url.startsWith(`${origin}:`)).toBe(true);
  const response = await connect(name);
  expect([response.statusCode, response.headers['cache-control']]).toEqual([200, 'no-store']);
  const { items, nextCursor } = response.json<{ items: Connection[]; nextCursor: null }>();
  expect([items.map(item => item.client), nextCursor]).toEqual([[...clientNames], null]);
  for (const item of items) {
    const { client, snippet, command, notes } = item;
    expect(item).toEqual(await askFor(name, client));
    expect(read(item, snippet)).toEqual(files[client](name, url, { Authorization: `Bearer ${token}` }));
    expect(item.expiresAt).toBe(expiresAt);
    expect(notes.length).toBeGreaterThan(0);
    // What stands for every address is none, and its loopback address is not the only one.
    const isOpen = node.startsWith('every');
    expect(notes.some(note => note.includes('this machine alone'))).toBe(!isOpen && /127\.0\.0\.1|::1/.test(url));
    expect(notes.some(note => note.includes('From other machines'))).toBe(isOpen);
    if (command !== null) expect(shell(command.line)).toEqual(words(command));
  }
});

test.each(['claude-code', 'vscode', 'codex', 'gemini', 'cursor', 'windsurf'] as const)(
  '%s has a form without the token in it',
  async client => {
    const { url, token } = placed.get('gh-demo')!;
    const item = await askFor('gh-demo', client);
    const { variable, value, snippet, command } = item.env!;
    expect(value).toBe(token);
    expect(snippet + JSON.stringify(command)).not.toContain('mmci_');
    expect(snippet).toContain(url);
    if (command !== null) expect(shell(command.line)).toEqual(words(command));
    const file = read(item, snippet) as Record<string, Record<string, Record<string, unknown>>>;
    const servers = Object.keys(file).find(key => key !== 'inputs');
    const server = file[servers!]!['gh-demo']!;
    expect(variable).toBe(client === 'vscode' ? null : 'MINIMCP_GH_DEMO_TOKEN');
    expect(server['bearer_token_env_var'] ?? (server['headers'] as Tree)['Authorization']).toBe(
      {
        'claude-code': `Bearer \${${variable}}`,
        cursor: `Bearer \${env:${variable}}`,
        windsurf: `Bearer \${env:${variable}}`,
        gemini: `Bearer $${variable}`,
        codex: variable,
        vscode: 'Bearer ${input:minimcp-gh-demo-token}',
      }[client],
    );
    if (client === 'vscode') expect(file['inputs']).toMatchObject([{ id: 'minimcp-gh-demo-token', password: true }]);
  },
);

test('the commands are the clients’ own', async () => {
  const { url, token } = placed.get('gh-demo')!;
  const header = `Authorization: Bearer ${token}`;
  const argv = async (client: ClientName) => (await askFor('gh-demo', client)).command?.argv;
  expect(await argv('claude-code')).toEqual(
    ['claude', 'mcp', 'add', '--transport', 'http', 'gh-demo', url].concat('--header', header),
  );
  expect(await argv('gemini')).toEqual(
    ['gemini', 'mcp', 'add', '--scope', 'user', '--transport', 'http'].concat('--header', header, 'gh-demo', url),
  );
  const [code, flag, json] = (await argv('vscode'))!;
  expect([code, flag]).toEqual(['code', '--add-mcp']);
  expect(JSON.parse(json!)).toEqual({
    name: 'gh-demo',
    type: 'http',
    url,
    headers: { Authorization: `Bearer ${token}` },
  });
  // Its command takes no header: a variable is the only way.
  const codex = await askFor('gh-demo', 'codex');
  expect([codex.command, codex.env!.command!.line]).toEqual([
    null,
    `codex mcp add gh-demo --url ${url} --bearer-token-env-var MINIMCP_GH_DEMO_TOKEN`,
  ]);
  // Process lists show arguments to everybody.
  for (const client of ['mcp-remote', 'claude-desktop'] as const) {
    const { command, snippet } = await askFor('gh-demo', client);
    const { args } = JSON.parse(snippet).mcpServers['gh-demo'] as { args: string[] };
    expect([...args, ...(command?.argv ?? [])].join(' ')).not.toContain('mmci_');
  }
  for (const client of ['cursor', 'windsurf', 'claude-desktop'] as const) expect(await argv(client)).toBe(undefined);
});

test('every client has its file, on every platform', async () => {
  const lying = (await connect('gh-demo')).json<{ items: Connection[] }>().items.map(item => [item.client, item.file]);
  expect(Object.fromEntries(lying)).toMatchObject({
    'claude-code': { linux: '.mcp.json' },
    'claude-desktop': {
      macos: '~/Library/Application Support/Claude/claude_desktop_config.json',
      windows: '%APPDATA%\\Claude\\claude_desktop_config.json',
    },
    cursor: { linux: '~/.cursor/mcp.json', windows: '%USERPROFILE%\\.cursor\\mcp.json' },
    vscode: { macos: '~/Library/Application Support/Code/User/mcp.json' },
    windsurf: { linux: '~/.codeium/windsurf/mcp_config.json' },
    codex: { windows: '%USERPROFILE%\\.codex\\config.toml' },
    gemini: { macos: '~/.gemini/settings.json' },
    'mcp-remote': null,
  });
});

test.each(['emacs', '', 'Codex', 'codex,gemini', '__proto__'])(
  'the client %j is refused, and the eight are named',
  async client => {
    const response = await connect('gh-demo', `?client=${client}`);
    const { errors, type } = response.json();
    expect([response.statusCode, type]).toEqual([400, 'urn:minimcp:problem:invalid-request']);
    expect(errors[0].pointer).toBe('?client');
    for (const name of clientNames) expect(errors[0].message).toContain(`"${name}"`);
    expect(response.body).not.toContain('mmci_');
  },
);

test('without the scope "access" nothing is told', async () => {
  const headers = { authorization: 'Bearer mmcp_nobody' };
  expect((await api.ask('GET', '/api/v1/mcps/gh-demo/connect', undefined, headers)).statusCode).toBe(401);
  const token = generateToken('mmcp_');
  const insert = `insert into tokens (name, hash, scopes) values ('reader', $1, '{read,write}')`;
  await api.database.pool.query(insert, [hashToken(token)]);
  for (const query of ['', '?client=codex']) {
    const response = await api.ask('GET', `/api/v1/mcps/gh-demo/connect${query}`, undefined, {
      authorization: `Bearer ${token}`,
    });
    expect([response.statusCode, response.json().type]).toEqual([403, 'urn:minimcp:problem:missing-scope']);
    expect(response.body).not.toContain('mmci_');
  }
});

test('who has no address gives no configuration', async () => {
  const early = (await declare('early')).metadata;
  const ended = (await declare('ended')).metadata;
  await placeInstance(api.database.pool, ended.uid, 'here', ++ports);
  await endLeaseNow(api.database.pool, ended.name);
  const stopped = (await declare('stopped', { running: false })).metadata;
  await placeInstance(api.database.pool, stopped.uid, 'here', ++ports);
  const exited = (await declare('exited')).metadata;
  await placeInstance(api.database.pool, exited.uid, 'here', ++ports);
  await writePhase(api.database.pool, exited.uid, 'Stopped');
  const doomed = (await declare('doomed')).metadata;
  await placeInstance(api.database.pool, doomed.uid, 'here', ++ports);
  await api.ask('DELETE', '/api/v1/mcps/doomed');
  for (const [{ name }, kind] of [
    [early, 'not-scheduled'],
    [ended, 'lease-ended'],
    [stopped, 'stopped'],
    [exited, 'stopped'],
    [doomed, 'being-deleted'],
  ] as const) {
    for (const query of ['', '?client=cursor']) {
      const response = await connect(name, query);
      expect([name, response.statusCode, response.json().type]).toEqual([name, 409, `urn:minimcp:problem:${kind}`]);
      expect(response.body).not.toContain('mmci_');
    }
  }
  expect((await connect('absent')).statusCode).toBe(404);
});

test('a rotated token is in the next answer', async () => {
  const { metadata } = await declare('rotated', { ttl: undefined, expiresAt: null });
  await placeInstance(api.database.pool, metadata.uid, 'here', ++ports);
  const before = await askFor('rotated', 'cursor');
  const { token } = (await api.ask('POST', '/api/v1/mcps/rotated/access/rotate')).json();
  const after = await askFor('rotated', 'cursor');
  expect(after.snippet).toContain(token);
  expect(before.snippet).not.toContain(token);
  expect(after.expiresAt).toBe(null);
});

test('the token is in no log', () => {
  expect(api.logged.length).toBeGreaterThan(0);
  for (const { token } of placed.values()) expect(api.logged.join('')).not.toContain(token);
});

test('whatever is in it, a word stays one word to a shell and a string to TOML', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1 }).filter(value => !value.includes('\0'));
  const odd = fc.constantFrom("'", "''", '"', '$HOME', '`id`', '\\', '\n', '\u007f', '-n', '*', '~', '#', '!!', ' ');
  const word = fc.oneof(text, odd);
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 30 }), argv => {
      expect(shell(toCommand(argv).line)).toEqual(argv);
      for (const value of argv) expect(parseToml(`a = ${tomlString(value)}`)).toEqual({ a: value });
    }),
    { numRuns: 50 },
  );
  const { line } = toCommand(['sh', '-c', 'printf %s "$A"'], { A: "it's $HOME" });
  expect(execFileSync('/bin/sh', ['-c', line], { encoding: 'utf8' })).toBe("it's $HOME");
});

test('docs/clients.md shows what is answered', () => {
  const page = readFileSync('docs/clients.md', 'utf8');
  for (const client of clientNames) {
    const { title, snippet, command, env, file } = guides[client]({
      name: 'gh-demo',
      url: 'http://127.0.0.1:3001/mcp',
      token: 'mmci_TOKEN',
    });
    // Of VS Code's two files it shows the one for a project.
    for (const shown of [
      client === 'vscode' ? env!.snippet : snippet,
      command === null || client === 'mcp-remote' ? (env?.command?.line ?? '') : command.line,
      client === 'mcp-remote' ? '' : `## ${title}\n`,
      ...Object.values(file ?? {}),
    ]) {
      expect(page).toContain(shown.trimEnd());
    }
  }
});
