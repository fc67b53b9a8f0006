import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ClientName } from '../../src/api/schemas.ts';
import { callTool } from '../support/clients.ts';
import { fixture } from '../support/fixture.ts';
import { startFakeGithub } from '../support/github.ts';
import type { FakeGithub } from '../support/github.ts';
import { createInstallation } from '../support/installation.ts';
import type { Installation } from '../support/installation.ts';
import { findRunning, installedProgram, markedEnvironment, runProgram } from '../support/program.ts';
import type { Ended } from '../support/program.ts';
import { httpClients, readCommand, readServer } from '../support/snippet.ts';
import type { Connection, Server } from '../support/snippet.ts';
import { until } from '../support/until.ts';

/**
 * Programs that people use, told of an instance by the product's own snippets and nothing else: each lists the
 * tools, calls one, and fails plainly with a wrong token. Nobody is there to answer a question.
 */
let it: Installation;
let fake: FakeGithub;
let home: string;
let marked: ReturnType<typeof markedEnvironment>;

const instances = [
  { name: 'gh', spec: { type: 'github', apiKey: 'gh' }, tool: 'get_me', args: {}, answer: /mona/ },
  {
    name: 'echo-1',
    spec: { type: 'stdio', config: { command: fixture('echo') } },
    tool: 'echo',
    args: { text: 'hé"\'' },
    answer: /hé"'/,
  },
] as const;
const wrongToken = `mmci_${'0'.repeat(36)}`;
const eras = ['legacy', 'modern'] as const;

beforeAll(async () => {
  fake = await startFakeGithub();
  it = await createInstallation({ env: { MINIMCP_GITHUB_API_URL: fake.url } });
  home = mkdtempSync(join(tmpdir(), 'minimcp-clients-'));
  marked = markedEnvironment(home);
  await it.startApi();
  await it.startControllers();
  await it.api('PUT', '/api-keys/gh', { type: 'github', values: { token: 'ghp_testtoken' } });
  for (const { name, spec } of instances) {
    expect((await it.api('POST', '/mcps', { metadata: { name }, spec: { ...spec, ttl: '1h' } })).status).toBe(201);
  }
  for (const { name } of instances) await it.phase(name, 'Ready', 50_000);
});
afterAll(async () => {
  await it.close();
  await fake[Symbol.asyncDispose]();
  rmSync(home, { recursive: true });
});

async function connect(name: string, client: ClientName): Promise<Connection> {
  const reply = await it.api('GET', `/mcps/${name}/connect?client=${client}`);
  expect(reply.status).toBe(200);
  return reply.body as Connection;
}

/** With another token in it, as of somebody who forgot to ask again. */
function spoil(connection: Connection): Connection {
  return { ...connection, snippet: connection.snippet.replaceAll(/mmci_\w+/g, wrongToken) };
}

const noneLeft = () => until('no program is left', () => findRunning(marked.mark).length === 0);

const inspector = installedProgram(
  import.meta.resolve('@modelcontextprotocol/inspector/package.json'),
  'mcp-inspector',
);
const common = ['--stored-auth-only', '--quiet', '--format', 'json'];

/** Claude Code's file is one that it reads, too; the era is its own addition. */
function configure(name: string, era: string, { snippet }: Connection): string[] {
  const { mcpServers } = JSON.parse(snippet) as { mcpServers: Record<string, object> };
  const file = join(home, `${name}-${era}-${Math.random()}.json`);
  writeFileSync(file, JSON.stringify({ mcpServers: { [name]: { ...mcpServers[name], protocolEra: era } } }));
  return ['--cli', '--config', file, '--server', name];
}
const inspect = (...args: string[]): Promise<Ended> => runProgram([...inspector, ...args, ...common], marked.env);

describe('MCP Inspector', { timeout: 60_000 }, () => {
  test.each(instances.flatMap(instance => eras.map(era => ({ ...instance, era }))))(
    '$name, $era: lists the tools and calls one',
    async ({ name, tool, args, answer, era }) => {
      const config = configure(name, era, await connect(name, 'claude-code'));
      const [list, call] = await Promise.all([
        inspect(...config, '--method', 'tools/list'),
        inspect(...config, '--method', 'tools/call', '--tool-name', tool, '--tool-args-json', JSON.stringify(args)),
      ]);
      expect([list.status, call.status], list.stderr + call.stderr).toEqual([0, 0]);
      const { tools } = JSON.parse(list.stdout).result as { tools: { name: string }[] };
      expect(tools.map(each => each.name)).toContain(tool);
      const { result } = JSON.parse(call.stdout) as {
        result: { content: { text: string }[]; isError?: boolean };
      };
      expect([result.isError ?? false, result.content[0]!.text]).toEqual([false, expect.stringMatching(answer)]);
      // Servers name themselves in every result since 2026-07-28.
      expect(call.stdout.includes('modelcontextprotocol/serverInfo')).toBe(era === 'modern');
    },
  );

  test('by URL and header on the command line', async () => {
    const connection = await connect('gh', 'claude-code');
    const target = ['--cli', readServer(connection, 'gh').url, '--transport', 'http', '--method', 'tools/list'];
    const headersOf = (told: Connection) =>
      Object.entries(readServer(told, 'gh').headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`]);
    const { status, stdout } = await inspect(...target, ...headersOf(connection));
    expect([status, stdout]).toEqual([0, expect.stringContaining('get_me')]);
    const denied = await inspect(...target, ...headersOf(spoil(connection)));
    expect([denied.status, JSON.parse(denied.stderr).error.code]).toEqual([3, 'auth_required']);
    const without = await inspect(...target);
    expect([without.status, JSON.parse(without.stderr).error.code]).toEqual([3, 'auth_required']);
    await noneLeft();
  });

  test.each(eras)('%s: a wrong token ends with status 3 and without a question', async era => {
    const config = configure('gh', era, spoil(await connect('gh', 'claude-code')));
    const { status, stdout, stderr } = await inspect(...config, '--method', 'tools/list');
    expect([status, stdout]).toEqual([3, '']);
    expect(JSON.parse(stderr).error.code).toBe('auth_required');
    await noneLeft();
  });
});

describe('mcp-remote', { timeout: 60_000 }, () => {
  const program = installedProgram(import.meta.resolve('mcp-remote/package.json'), 'mcp-remote');

  /** What the snippet starts, with the installed program in npx's place. */
  function start(connection: Connection, name: string): { argv: string[]; env: Record<string, string> } {
    const { command, args, env } = readCommand(connection, name);
    expect([command, ...args.slice(0, 2)]).toEqual(['npx', '-y', expect.stringMatching(/^mcp-remote@\d+\.\d+\.\d+$/)]);
    return { argv: [...program, ...args.slice(2)], env: { ...marked.env, ...env } };
  }

  test('the version in the snippet is the one that runs here', async () => {
    const { version } = (await import('mcp-remote/package.json', { with: { type: 'json' } })).default;
    expect((await connect('gh', 'mcp-remote')).snippet).toContain(`"mcp-remote@${version}"`);
  });

  test.each(
    instances.flatMap(instance => [
      { ...instance, client: 'claude-desktop' as const, protocol: [] },
      { ...instance, client: 'mcp-remote' as const, protocol: ['--protocol', 'auto'] },
    ]),
  )('$name as $client, $protocol', async ({ name, tool, args, answer, client: as, protocol }) => {
    const { argv, env } = start(await connect(name, as), name);
    const [command, ...rest] = argv;
    const transport = new StdioClientTransport({
      command: command!,
      args: [...rest, ...protocol],
      env,
      stderr: 'pipe',
    });
    let said = '';
    transport.stderr!.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const client = new ModernClient({ name: 'minimcp-test', version: '1.0.0' });
    await client.connect(transport);
    expect((await client.listTools()).tools.map(each => each.name)).toContain(tool);
    expect((await callTool(client, tool, args)).text).toMatch(answer);
    expect(findRunning(marked.mark)).toHaveLength(1);
    await client.close();
    expect(said.includes('speaks MCP 2026-07-28')).toBe(protocol.length > 0);
    expect(said).not.toContain('mmci_');
    await noneLeft();
  });

  test.each([[[]], [['--protocol', 'auto']]])('%j: a wrong token ends it, and no browser is opened', async protocol => {
    const { argv, env } = start(spoil(await connect('gh', 'mcp-remote')), 'gh');
    const clientInfo = { name: 'minimcp-test', version: '1.0.0' };
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
    const hello = `${JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params })}\n`;
    const { status, stdout, stderr } = await runProgram([...argv, ...protocol], env, hello);
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toContain('Fatal error');
    expect(stderr).not.toMatch(/please authorize|browser|mmci_/i);
    await noneLeft();
  });
});

describe('SDK clients', { timeout: 60_000 }, () => {
  const info = { name: 'minimcp-test', version: '1.0.0' };
  const sdks = {
    'v1, initialize': async ({ url, headers }: Server) => {
      const client = new LegacyClient(info);
      await client.connect(new LegacyTransport(new URL(url), { requestInit: { headers } }));
      return client;
    },
    'v2, initialize': async ({ url, headers }: Server) => {
      const client = new ModernClient(info);
      await client.connect(new ModernTransport(new URL(url), { requestInit: { headers } }));
      return client;
    },
    'v2, whichever it finds': async ({ url, headers }: Server) => {
      const client = new ModernClient(info, { versionNegotiation: { mode: 'auto' } });
      await client.connect(new ModernTransport(new URL(url), { requestInit: { headers } }));
      return client;
    },
    'v2, 2026-07-28': async ({ url, headers }: Server) => {
      const client = new ModernClient(info, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
      await client.connect(new ModernTransport(new URL(url), { requestInit: { headers } }));
      return client;
    },
  };
  test.each(httpClients)('what %s is told opens both instances to every SDK', async as => {
    for (const { name, tool, args, answer } of instances) {
      const server = readServer(await connect(name, as), name);
      for (const open of Object.values(sdks)) {
        const client = await open(server);
        expect((await client.listTools()).tools.map(each => each.name)).toContain(tool);
        expect((await callTool(client, tool, args)).text).toMatch(answer);
        await client.close();
      }
    }
  });

  test.each(Object.entries(sdks))('%s: a wrong token is told as such', async (_title, open) => {
    const connection = await connect('gh', 'cursor');
    await expect(open(readServer(spoil(connection), 'gh'))).rejects.toThrow(/401|authoriz/i);
    const { url } = readServer(connection, 'gh');
    const { headers } = readServer(await connect('echo-1', 'cursor'), 'echo-1');
    await expect(open({ url, headers })).rejects.toThrow(/401|authoriz/i);
  });
});

test('the calls have reached the vendor', async () => {
  const calls = await fake.calls();
  expect(calls.filter(({ path }) => path === '/user').length).toBe(2 + 2 + 6 * 4);
});

test('an instance that is gone is told as unreachable', { timeout: 60_000 }, async () => {
  const config = configure('echo-1', 'legacy', await connect('echo-1', 'claude-code'));
  expect((await it.api('DELETE', '/mcps/echo-1?wait=10s')).status).toBe(200);
  const { status, stderr } = await inspect(...config, '--method', 'tools/list');
  expect([status, JSON.parse(stderr).error.code]).toEqual([4, 'unreachable']);
});
