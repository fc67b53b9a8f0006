import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callTool, connectModern } from '../support/clients.ts';
import type { ToolAnswer } from '../support/clients.ts';
import { startFakeGithub } from '../support/github.ts';
import type { FakeGithub } from '../support/github.ts';
import { startHost } from '../support/host.ts';
import type { TestHost } from '../support/host.ts';

const demo = { owner: 'mona', repo: 'demo' };

let github: FakeGithub;
let host: TestHost;
let client: Awaited<ReturnType<typeof connectModern>>;
beforeAll(async () => {
  github = await startFakeGithub();
  host = await startHost({ upstreamUrl: 'http://127.0.0.1:9', config: { baseUrl: `${github.url}/` } });
  client = await connectModern(host);
});
afterAll(async () => {
  await client.close();
  await Promise.all([host.dispose(), github[Symbol.asyncDispose]()]);
});

const call = (name: string, args: Record<string, unknown> = {}): Promise<ToolAnswer> => callTool(client, name, args);

/** The JSON of an answer that must be none of an error. */
async function read<T>(name: string, args: Record<string, unknown> = {}): Promise<T> {
  const answer = await call(name, args);
  expect(answer.isError, answer.text).toBe(false);
  return JSON.parse(answer.text) as T;
}

interface Page {
  items: Record<string, unknown>[];
  paging: { page: number; perPage: number; nextPage: number | null; totalCount?: number; note?: string };
}

describe('the tools', () => {
  test('tell what they change', async () => {
    const { tools } = await client.listTools();
    const writing = tools.filter(tool => tool.annotations?.readOnlyHint !== true).map(tool => tool.name);
    expect(writing).toEqual([
      'create_or_update_file',
      'push_files',
      'create_branch',
      'issue_write',
      'add_issue_comment',
      'create_pull_request',
      'update_pull_request',
      'merge_pull_request',
      'pull_request_review_write',
    ]);
    expect(tools.find(tool => tool.name === 'issue_write')?.annotations).toMatchObject({
      destructiveHint: true,
      idempotentHint: false,
    });
    for (const tool of tools) {
      expect(tool.description!.length, tool.name).toBeGreaterThan(20);
      expect(tool.inputSchema.type, tool.name).toBe('object');
      for (const [name, schema] of Object.entries(tool.inputSchema.properties ?? {})) {
        expect((schema as { description?: string }).description, `${tool.name}.${name}`).toBeTruthy();
      }
    }
  });

  test('get_me', async () => {
    expect(await read('get_me')).toMatchObject({ login: 'mona', name: 'Mona Test', followers: 3 });
  });

  test('search_repositories finds and counts', async () => {
    const { items, paging } = await read<Page>('search_repositories', { query: 'demo language:typescript' });
    expect(items).toMatchObject([{ full_name: 'mona/demo', stargazers_count: 101, private: false }]);
    expect(paging).toEqual({ totalCount: 1, page: 1, perPage: 30, nextPage: null });
  });

  test('get_file_contents reads files, directories and refs', async () => {
    const file = await call('get_file_contents', { ...demo, path: 'README.md', ref: 'refs/heads/main' });
    expect(file.text).toContain('# Demo\n\nHello.');
    expect(await read<Page>('get_file_contents', { ...demo })).toMatchObject({
      items: [{ path: 'README.md', type: 'file' }, { path: 'src', type: 'dir' }, { path: 'logo.png' }],
    });
    expect((await read<Page>('get_file_contents', { ...demo, path: '/src/' })).items).toHaveLength(3);
    expect(await read('get_file_contents', { ...demo, path: 'logo.png' })).toMatchObject({
      note: expect.stringContaining('binary'),
    });
    const last = (await github.calls()).find(({ path }) => path.endsWith('README.md'));
    expect(last?.query).toBe('?ref=refs%2Fheads%2Fmain');
  });

  test.each([
    ['src/long.txt', 250_000],
    ['src/huge.txt', 1_500_000],
  ])('get_file_contents pages through %s', async (path, length) => {
    let whole = '';
    for (let offset: number | null = 0; offset !== null;) {
      const answer: ToolAnswer = await call('get_file_contents', { ...demo, path, offset });
      const [about, ...rest] = answer.text.split('\n');
      const part = rest.join('\n');
      expect(part.length).toBeLessThanOrEqual(100_000);
      whole += part;
      const position = JSON.parse(about!) as { length: number; nextOffset: number | null };
      expect(position.length).toBe(length);
      offset = position.nextOffset;
    }
    expect(whole).toHaveLength(length);
  });

  test('list_issues pages, filters and leaves pull requests out', async () => {
    const first = await read<Page>('list_issues', { ...demo, perPage: 20, direction: 'ASC' });
    expect(first.items).toHaveLength(20);
    expect(first.items[0]).toMatchObject({ number: 1, user: 'mona', labels: ['odd'] });
    expect(first.paging.nextPage).toBe(2);
    const last = await read<Page>('list_issues', { ...demo, perPage: 20, page: 3, direction: 'ASC' });
    expect(last.items.map(issue => issue['number'])).toEqual([41, 42, 43, 44, 45]);
    expect(last.paging.nextPage).toBeNull();
    const even = await read<Page>('list_issues', { ...demo, labels: ['even'], perPage: 100, state: 'OPEN' });
    expect(even.items.every(issue => Number(issue['number']) % 2 === 0)).toBe(true);
  });

  test('issue_read reads the issue and what hangs on it', async () => {
    const about = { ...demo, issue_number: 1 };
    expect(await read('issue_read', { ...about, method: 'get' })).toMatchObject({
      number: 1,
      title: 'Issue 1',
      state: 'open',
    });
    const comments = await read<Page>('issue_read', { ...about, method: 'get_comments', perPage: 2 });
    expect(comments).toMatchObject({ items: [{ body: 'Comment 1' }, { body: 'Comment 2' }], paging: { nextPage: 2 } });
    expect((await read<Page>('issue_read', { ...about, method: 'get_labels' })).items).toMatchObject([{ name: 'odd' }]);
    expect((await read<Page>('issue_read', { ...about, method: 'get_sub_issues' })).items).toHaveLength(2);
  });

  test('issue_write creates and updates', async () => {
    const created = await read<{ number: number }>('issue_write', {
      ...demo,
      method: 'create',
      title: 'Made by a test',
      body: 'Body',
      labels: ['bug'],
    });
    expect(created).toMatchObject({ title: 'Made by a test', body: 'Body', labels: ['bug'] });
    const update = {
      ...demo,
      method: 'update',
      issue_number: created.number,
      state: 'closed',
      state_reason: 'completed',
    };
    expect(await read('issue_write', update)).toMatchObject({
      state: 'closed',
      state_reason: 'completed',
      title: 'Made by a test',
    });
    const again = await read('issue_read', { ...demo, method: 'get', issue_number: created.number });
    expect(again).toMatchObject({ state: 'closed' });
  });

  test('issue_write says what it needs', async () => {
    expect(await call('issue_write', { ...demo, method: 'create' })).toMatchObject({
      isError: true,
      text: expect.stringContaining('title'),
    });
    expect(await call('issue_write', { ...demo, method: 'update', title: 'x' })).toMatchObject({
      isError: true,
      text: expect.stringContaining('issue_number'),
    });
  });

  test('list_pull_requests and pull_request_read', async () => {
    const { items } = await read<Page>('list_pull_requests', demo);
    expect(items.map(pull => pull['number'])).toEqual([46, 47]);
    const about = { ...demo, pullNumber: 46 };
    expect(await read('pull_request_read', { ...about, method: 'get' })).toMatchObject({
      number: 46,
      head: { ref: 'topic', repo: 'mona/demo' },
      mergeable: true,
    });
    expect(await read('pull_request_read', { ...about, method: 'get_status' })).toMatchObject({
      state: 'success',
      total_count: 1,
    });
    expect((await read<Page>('pull_request_read', { ...about, method: 'get_files', perPage: 2 })).paging.nextPage).toBe(
      2,
    );
    expect((await read<Page>('pull_request_read', { ...about, method: 'get_reviews' })).items).toMatchObject([
      { state: 'APPROVED' },
    ]);
    expect((await read<Page>('pull_request_read', { ...about, method: 'get_comments' })).items).toMatchObject([
      { body: 'Comment 1' },
    ]);
    expect((await read<Page>('pull_request_read', { ...about, method: 'get_review_comments' })).items).toMatchObject([
      { path: 'src/index.ts', line: 1, body: 'Please rename this' },
    ]);
    const diff = await call('pull_request_read', { ...about, method: 'get_diff' });
    expect(diff.text).toContain('diff --git');
    expect(JSON.parse(diff.text.split('\n')[0]!)).toMatchObject({ nextOffset: 100_000 });
  });
});

describe('bad arguments', () => {
  test.each([
    ['get_file_contents', { ...demo, path: '../../user' }],
    ['get_file_contents', { ...demo, path: '..' }],
    ['get_file_contents', { owner: '..', repo: 'demo' }],
    ['issue_read', { ...demo, issue_number: 1, method: 'constructor' }],
    ['list_issues', { ...demo, perPage: 101 }],
    ['issue_write', { ...demo, method: 'create', title: 'x', body: 'y'.repeat(70_000) }],
  ])('%s %o never reach GitHub', async (name, args) => {
    await github.forgetCalls();
    expect((await call(name, args)).isError).toBe(true);
    expect(await github.calls()).toEqual([]);
  });
});

test('readOnly and toolsets take tools away, by name too', async () => {
  await using few = await startHost({
    upstreamUrl: github.url,
    config: { readOnly: true, toolsets: ['context', 'issues'] },
  });
  const restricted = await connectModern(few);
  const { tools } = await restricted.listTools();
  expect(restricted.getInstructions()).toMatch(/read-only.*toolsets context, issues alone/s);
  expect(tools.map(tool => tool.name)).toEqual(['get_me', 'search_issues', 'list_issues', 'issue_read']);
  await github.forgetCalls();
  const write = { name: 'issue_write', arguments: { ...demo, method: 'create', title: 'x' } };
  await expect(restricted.callTool(write)).rejects.toThrow(/issue_write/);
  await expect(restricted.callTool({ name: 'list_pull_requests', arguments: demo })).rejects.toThrow();
  expect(await github.calls()).toEqual([]);
  await restricted.close();
});
