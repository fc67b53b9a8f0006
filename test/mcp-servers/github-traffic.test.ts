/** What passes between the host and GitHub besides the calls themselves. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Client, InMemoryTransport } from '@modelcontextprotocol/client';
import type { McpServer } from '@modelcontextprotocol/server';
import type { Assignment } from '../../specs/assignment.ts';
import { createEtagCache } from '../../mcp-servers/github/etag-cache.ts';
import { startGithub } from '../../mcp-servers/github/github.ts';
import { jobLogTools } from '../../mcp-servers/github/job-logs.ts';
import { readRateLimit, tighter } from '../../mcp-servers/github/rate-limit.ts';
import type { GithubApi } from '../../mcp-servers/github/client.ts';
import { createTransport } from '../../mcp-servers/github/transport.ts';
import { createConceal } from '../../mcp-servers/host/log.ts';
import { readEnd } from '../../mcp-servers/tool/body.ts';
import { isPublic } from '../../mcp-servers/tool/public-host.ts';
import { demo, lineOf, openGithub, textOf } from '../support/github.ts';
import type { GithubBench, Result } from '../support/github.ts';
import { streamReused } from '../support/reused-chunks.ts';
import { until } from '../support/until.ts';

let bench: GithubBench;
beforeAll(async () => {
  bench = await openGithub();
});
afterAll(() => bench[Symbol.asyncDispose]());

/** What the fake says until a test wants otherwise. */
const plenty = { core: 4999, search: 29 };
afterEach(async () => {
  await bench.github.fail(null);
  for (const [resource, remaining] of Object.entries(plenty)) {
    await bench.github.control('PUT', `rate-limit/${resource}`, { remaining });
  }
});

describe('conditional requests', () => {
  const read = { ...demo, method: 'get', issue_number: 7 };

  test('the second read is answered with 304, and shows the same', async () => {
    const first = await bench.ask('issue_read', read);
    expect(first.asked[0]).toMatchObject({ status: 200 });
    expect(first.asked[0]!.headers['if-none-match']).toBeUndefined();
    const second = await bench.ask('issue_read', read);
    expect(second.asked).toHaveLength(1);
    expect(second.asked[0]!.status).toBe(304);
    expect(second.result.content).toEqual(first.result.content);
  });

  test('what has changed meanwhile is read anew', async () => {
    const before = await bench.read('issue_read', read);
    await bench.call('issue_write', { ...demo, method: 'update', issue_number: 7, title: 'Changed' });
    const { result, asked } = await bench.ask('issue_read', read);
    expect(asked[0]!.status).toBe(200);
    expect(asked[0]!.headers['if-none-match']).toBeTruthy();
    expect(JSON.parse(textOf(result))).toEqual({ ...before, title: 'Changed' });
  });

  test('a page that comes from the cache still knows the next', async () => {
    const page = () => bench.ask('list_issues', { ...demo, perPage: 5 });
    const first = await page();
    const second = await page();
    expect(second.asked[0]!.status).toBe(304);
    expect(JSON.parse(textOf(second.result))).toMatchObject({ paging: { nextPage: 2 } });
    expect(second.result.content).toEqual(first.result.content);
  });

  test('one address in two media types are two answers', async () => {
    const pull = { ...demo, pullNumber: 46 };
    await bench.read('pull_request_read', { ...pull, method: 'get' });
    const { result, asked } = await bench.ask('pull_request_read', { ...pull, method: 'get_diff' });
    expect(asked[0]!.status).toBe(200);
    expect(asked[0]!.headers['if-none-match']).toBeUndefined();
    expect(textOf(result)).toContain('diff --git');
  });

  test('the cache holds what was used last, in few entries and bytes', () => {
    const cache = createEtagCache({ maxEntries: 3, maxBytes: 1000 });
    const answer = (length: number) => ({ etag: 'e', headers: new Headers(), body: Buffer.alloc(length) });
    for (const key of ['a', 'b', 'c']) cache.set(key, answer(10));
    cache.get('a');
    cache.set('d', answer(10));
    expect(['a', 'b', 'c', 'd'].map(key => cache.get(key) !== null)).toEqual([true, false, true, true]);
    cache.set('large', answer(251));
    expect(cache.get('large')).toBeNull();
    const bytes = createEtagCache({ maxEntries: 100, maxBytes: 1000 });
    for (let at = 0; at < 10; at += 1) bytes.set(String(at), answer(200));
    expect(Array.from({ length: 10 }, (_, at) => bytes.get(String(at)) !== null).filter(Boolean)).toHaveLength(4);
    expect(bytes.get('9')).not.toBeNull();
  });
});

const limitOf = ({ _meta: meta }: Result): unknown => meta?.['minimcp/rate-limit'];

describe('rate limits', () => {
  test('go with every result, errors too', async () => {
    await bench.github.control('PUT', 'rate-limit/core', { remaining: 4242 });
    const expected = { limit: 5000, remaining: 4242, resetAt: '2033-05-18T03:33:20.000Z', resource: 'core' };
    const good = await bench.call('get_me');
    expect(limitOf(good)).toEqual(expected);
    expect(good.content).toHaveLength(1);
    const bad = await bench.call('issue_read', { ...demo, method: 'get', issue_number: 9999 });
    expect(bad.isError).toBe(true);
    expect(limitOf(bad)).toEqual(expected);
  });

  test('nearly used up, the model is told how much is left and until when', async () => {
    await bench.github.control('PUT', 'rate-limit/search', { remaining: 2 });
    const result = await bench.call('search_users', { query: 'lisa' });
    expect(result.content.at(-1)!.text).toMatch(/for search is nearly used up: 2 of 30 .* until 2033-05-18T/);
    await bench.github.control('PUT', 'rate-limit/search', { remaining: 3 });
    expect(textOf(await bench.call('search_users', { query: 'lisa' }))).not.toContain('nearly used up');
  });

  test('of several in one call the tightest counts, and nonsense none', () => {
    const read = (values: Record<string, string>) => readRateLimit(name => values[name.replace('x-ratelimit-', '')]);
    const core = read({ limit: '5000', remaining: '4000', reset: '2000000000', resource: 'core' });
    const search = read({ limit: '30', remaining: '1', reset: '2000000000', resource: 'search' });
    expect(tighter(core, search)).toBe(search);
    expect(tighter(search, core)).toBe(search);
    expect(tighter(null, core)).toBe(core);
    for (const reset of ['9'.repeat(14), 'soon', '', '-1']) {
      expect(read({ limit: '30', remaining: '1', reset })).toBeNull();
    }
    expect(read({ limit: '30', remaining: '1', reset: '1', resource: 'a b\n' })).not.toHaveProperty('resource');
  });

  test('used up, nothing is tried again by itself', async () => {
    await bench.github.fail({ kind: 'rate-limit' });
    const { result, asked } = await bench.ask('list_branches', demo);
    expect(asked).toHaveLength(1);
    expect(textOf(result)).toMatch(/used up.*wait until then/);
    expect(limitOf(result)).toMatchObject({ remaining: 0, limit: 5000 });
  });

  test('calls at the same time have each their own', async () => {
    const calls = Array.from({ length: 5 }, () => [
      bench.call('list_branches', demo),
      bench.call('search_users', { query: 'lisa' }),
      bench.call('search_code', { query: 'answer' }),
    ]);
    const limits = (await Promise.all(calls.flat())).map(limitOf);
    const each = [
      { resource: 'core', remaining: 4999 },
      { resource: 'search', remaining: 29 },
      { resource: 'code_search', remaining: 9 },
    ];
    expect(limits).toMatchObject(Array.from({ length: 5 }, () => each).flat());
  });
});

describe('a repository that has moved', () => {
  test('is read at its new place', async () => {
    const { result, asked } = await bench.ask('list_branches', { owner: 'mona', repo: 'moved' });
    expect(result.isError).not.toBe(true);
    expect(asked.map(({ status }) => status)).toEqual([301, expect.any(Number)]);
    expect(asked[1]!.headers.authorization).toBe('token ghp_testtoken');
  });

  test('is written to at its new place where GitHub says so', async () => {
    const args = { owner: 'mona', repo: 'renamed', issue_number: 3, body: 'Moved' };
    const { result, asked } = await bench.ask('add_issue_comment', args);
    expect(asked.map(lineOf)).toEqual([
      'POST /repos/mona/renamed/issues/3/comments',
      'POST /repos/mona/demo/issues/3/comments',
    ]);
    expect(asked[1]!.body).toEqual({ body: 'Moved' });
    expect(result.structuredContent).toMatchObject({ body: 'Moved' });
  });

  test('a write never becomes a read', async () => {
    const args = { owner: 'mona', repo: 'moved', issue_number: 3, body: 'Moved' };
    const { result, asked } = await bench.ask('add_issue_comment', args);
    expect(asked.map(lineOf)).toEqual(['POST /repos/mona/moved/issues/3/comments']);
    expect(result.isError).toBe(true);
    expect(textOf(result)).toMatch(/has moved.*nothing was changed/);
  });
});

describe('another host', () => {
  const { signal } = new AbortController();
  const init = { method: 'GET', headers: { authorization: 'token ghp_testtoken' }, signal };
  const transport = createTransport(createEtagCache({ maxEntries: 10, maxBytes: 1000 }), () => {});

  /** Answers everything with a redirect to where `lead` says, or with what it was asked. */
  async function serve(hostname: string, lead?: () => string) {
    const asked: string[] = [];
    const server = createServer(({ url, headers }, response) => {
      asked.push(`${url} ${headers.authorization ?? 'without token'}`);
      if (lead === undefined) response.end('a secret of this network');
      else response.writeHead(302, { location: lead() }).end();
    });
    await new Promise<void>(done => {
      server.listen(0, hostname, done);
    });
    const url = `http://${hostname}:${(server.address() as AddressInfo).port}`;
    return { url, asked, [Symbol.dispose]: () => server.close().closeAllConnections() };
  }

  const log = '/repos/mona/demo/actions/jobs/5/logs';

  test.each([
    ['/repos/mona/demo/issues', '127.0.0.1'],
    // Called like a log.
    [`/repos/mona/demo/contents${log}`, '127.0.0.1'],
    ['/repos/mona/demo/git/ref/heads/actions/jobs/5/logs', '127.0.0.1'],
    [log, '127.0.0.2'],
  ])('%s is not read from %s, wherever GitHub refers to', async (path, hostname) => {
    using inside = await serve(hostname);
    using api = await serve('127.0.0.1', () => `${inside.url}/x`);
    await expect(transport(api.url + path, init)).rejects.toThrow(/which is not followed.*Check the base URL/);
    expect(api.asked).toHaveLength(1);
    expect(inside.asked).toEqual([]);
  });

  test('a log is read where GitHub keeps it, without the token', async () => {
    using storage = await serve('127.0.0.1');
    using api = await serve('127.0.0.1', () => `${storage.url}/x`);
    expect(await (await transport(`${api.url}${log}`, init)).text()).toContain('secret');
    expect(storage.asked).toEqual(['/x without token']);
  });

  test.each([
    ['https://productionresultssa1.blob.core.windows.net/x', true],
    ['http://productionresultssa1.blob.core.windows.net/x', false],
    ['https://me:secret@blob.core.windows.net/x', false],
    ['https://169.254.169.254/x', false],
    ['https://minio.internal/x', false],
    ['https://blob.core.windows.net:9000/x', false],
  ])('%s is public: %s', (url, expected) => {
    expect(isPublic(new URL(url))).toBe(expected);
  });
});

describe('an answer in the smallest of chunks', () => {
  test('is copied, not collected', async () => {
    const text = JSON.stringify({ login: 'mona'.repeat(5000) });
    vi.stubGlobal('fetch', async () => new Response(streamReused(text)));
    const transport = createTransport(createEtagCache({ maxEntries: 10, maxBytes: 1000 }), () => {});
    const { signal } = new AbortController();
    const answer = await transport('https://github.test/user', { method: 'GET', headers: {}, signal });
    vi.unstubAllGlobals();
    expect(await answer.text()).toBe(text);
  });

  test('is a log like any other, of which the end is kept', async () => {
    const log = Array.from({ length: 5000 }, (_, index) => `line ${index}`).join('\n');
    const api = { rest: { actions: { downloadJobLogsForWorkflowRun: async () => ({ data: streamReused(log) }) } } };
    const call = { api: api as unknown as GithubApi, signal: new AbortController().signal };
    const { content } = await jobLogTools[0]!.run({ ...demo, job_id: 5, tail_lines: 2, offset: 0 }, call);
    expect(textOf({ content } as Result)).toContain(`"logBytes":${log.length}`);
    expect(content[1]).toMatchObject({ text: 'line 4998\nline 4999' });
    const text = 'abcdefghij'.repeat(1000);
    const { end, totalBytes } = await readEnd(streamReused(text), 25);
    expect([end.toString(), totalBytes]).toEqual([text.slice(-25), text.length]);
    // A chunk that is longer than what is kept.
    expect((await readEnd(new Blob([text]).stream(), 7)).end.toString()).toBe('defghij');
  });
});

describe('cancellation and patience', () => {
  test('a client that gives up ends the request to GitHub', async () => {
    await bench.github.forgetCalls();
    await bench.github.fail({ kind: 'slow', delayMs: 5000 });
    const abort = new AbortController();
    const call = bench.call('list_commits', demo, abort.signal).catch(() => 'cancelled');
    const asked = async () => (await bench.github.calls())[0];
    await until('GitHub is asked', asked);
    abort.abort();
    expect(await call).toBe('cancelled');
    await until('the request to GitHub is given up', async () => (await asked())?.aborted);
  });

  test('of several requests the next is not made', async () => {
    await bench.github.forgetCalls();
    await bench.github.fail({ kind: 'slow', delayMs: 400, path: '/git/ref/' });
    const abort = new AbortController();
    const args = { ...demo, branch: 'topic', message: 'x', files: [{ path: 'a', content: 'b' }] };
    const call = bench.call('push_files', args, abort.signal).catch(() => 'cancelled');
    await until('GitHub is asked', async () => (await bench.github.calls()).length === 1);
    abort.abort();
    expect(await call).toBe('cancelled');
    await until('it is given up', async () => (await bench.github.calls())[0]!.aborted);
    await bench.github.fail(null);
    await bench.call('get_me');
    expect((await bench.github.calls()).map(({ path }) => path).filter(path => path !== '/user')).toHaveLength(1);
  });

  test('a GitHub that does not answer is given up, and the model is told', async () => {
    await bench.github.forgetCalls();
    await bench.github.fail({ kind: 'slow', delayMs: 5000 });
    const assignment = { config: {}, secrets: { token: 'ghp_testtoken' }, upstreamUrl: bench.github.url };
    const program = startGithub({ assignment: assignment as unknown as Assignment, conceal: createConceal([]) }, 250);
    const server = (await program.createServer('legacy')) as McpServer;
    const [near, far] = InMemoryTransport.createLinkedPair();
    await server.connect(far);
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(near);
    const result = (await client.callTool({ name: 'list_branches', arguments: demo })) as unknown as Result;
    expect(result.isError).toBe(true);
    expect(textOf(result)).toMatch(/did not answer in time/);
    await until('the request to GitHub is given up', async () => (await bench.github.calls())[0]?.aborted);
    await client.close();
  });

  test('a slow answer is still an answer', async () => {
    await bench.github.fail({ kind: 'slow', delayMs: 300 });
    expect((await bench.call('get_me')).isError).not.toBe(true);
  });
});
