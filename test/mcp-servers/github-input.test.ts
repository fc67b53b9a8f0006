/** Arguments that must never reach GitHub, and tools that are not offered. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectLegacy, connectModern } from '../support/clients.ts';
import { demo, openGithub } from '../support/github.ts';
import type { GithubBench, Result } from '../support/github.ts';
import { startHost } from '../support/host.ts';

let bench: GithubBench;
beforeAll(async () => {
  bench = await openGithub();
});
afterAll(() => bench[Symbol.asyncDispose]());

type Attempt = readonly [name: string, args: Record<string, unknown>];

/** The refusals of calls that GitHub must not hear of. */
async function refused(...attempts: Attempt[]): Promise<string[]> {
  await bench.github.forgetCalls();
  const words = attempts.map(async ([name, args]) => {
    const outcome = await bench.call(name, args).catch((error: unknown) => error as Error);
    expect(outcome instanceof Error || outcome.isError === true, JSON.stringify([name, args])).toBe(true);
    return outcome instanceof Error ? outcome.message : outcome.content[0]!.text;
  });
  const answers = await Promise.all(words);
  expect(await bench.github.calls()).toEqual([]);
  return answers;
}

const long = (length: number) => 'x'.repeat(length);
const badPaths = [
  '..',
  '.',
  '../../user',
  'a/../b',
  'a/..',
  './a',
  'a/./b',
  'a\n/../b',
  '%2e%2e/user',
  '%2E%2e%2Fuser',
  'a%2f..%2fb',
  'a%5c..%5cb',
  'a\u0000b',
  'a\r\nhost: evil',
  'a\uD800',
  long(4097),
];
const badBranches = [
  '',
  '..',
  'a..b',
  'a/../b',
  '../../../user',
  '/a',
  'a/',
  'a//b',
  '.a',
  'a/.b',
  'a.lock',
  'a.',
  'a b',
  'a~1',
  'a^',
  'a:b',
  'a?x=1',
  'a*',
  'a[b',
  'a\\b',
  'a@{1}',
  '@',
  '-a',
  'refs/heads/a',
  'a%2f..%2fb',
  '%2e%2e',
  'a\u0007',
  'a\uDC00',
  long(245),
];
const badNames = ['', '..', '.', 'a/b', 'a%2fb', 'a b', 'a?b', 'a#b', '../x', 'ä', 'a\n', long(101)];

test.each(badPaths)('no path %j', async path => {
  const write = { ...demo, branch: 'main', message: 'x' };
  const answers = await refused(
    ['get_file_contents', { ...demo, path }],
    ['create_or_update_file', { ...write, path, content: 'x' }],
    ['push_files', { ...write, files: [{ path, content: 'x' }] }],
    ['list_commits', { ...demo, path }],
  );
  for (const answer of answers) expect(answer).toMatch(/path/);
});

test.each(badBranches)('no branch %j', async branch => {
  const answers = await refused(
    ['create_branch', { ...demo, branch }],
    ['create_branch', { ...demo, branch: 'good', from_branch: branch }],
    ['push_files', { ...demo, branch, message: 'x', files: [{ path: 'a', content: 'x' }] }],
    ['create_or_update_file', { ...demo, branch, path: 'a', content: 'x', message: 'x' }],
    ['create_pull_request', { ...demo, title: 'x', head: `mona:${branch}`, base: 'main' }],
  );
  for (const answer of answers) expect(answer).toMatch(/branch/);
});

test.each(badNames)('no owner or repository %j', async name => {
  const answers = await refused(
    ['list_branches', { owner: name, repo: 'demo' }],
    ['list_branches', { owner: 'mona', repo: name }],
  );
  expect(answers).toEqual([expect.stringMatching(/owner/), expect.stringMatching(/repo/)]);
});

test.each<[string, Record<string, unknown>, RegExp]>([
  ['get_me', { login: 'lisa' }, /login/],
  ['list_issues', { ...demo, perpage: 3 }, /perpage/],
  ['list_issues', { ...demo, state: 'open' }, /state/],
  ['list_issues', { ...demo, perPage: 0 }, /perPage/],
  ['list_issues', { ...demo, page: 1.5 }, /page/],
  ['list_issues', { ...demo, page: '1' }, /page/],
  ['list_issues', { ...demo, since: 'yesterday' }, /since/],
  ['list_issues', { ...demo, labels: Array.from({ length: 101 }, () => 'x') }, /labels/],
  ['list_issues', { repo: 'demo' }, /owner/],
  ['issue_read', { ...demo, method: '__proto__', issue_number: 1 }, /method/],
  ['issue_read', { ...demo, method: 'get', issue_number: -1 }, /issue_number/],
  ['issue_read', { ...demo, method: 'get', issue_number: 2 ** 40 }, /issue_number/],
  ['issue_read', { ...demo, method: 'get', issue_number: '1/../../user' }, /issue_number/],
  ['issue_write', { ...demo, method: 'create', title: long(257) }, /title/],
  ['issue_write', { ...demo, method: 'create', title: 'x', assignees: ['../x'] }, /assignees/],
  ['add_issue_comment', { ...demo, issue_number: 1, body: '' }, /body/],
  ['add_issue_comment', { ...demo, issue_number: 1, body: long(65_537) }, /body/],
  ['search_code', { query: '' }, /query/],
  ['search_code', { query: long(257) }, /query/],
  ['search_users', { query: 'half \uD800' }, /surrogate/],
  ['get_commit', { ...demo, sha: 'main..topic' }, /sha/],
  ['create_or_update_file', { ...demo, path: '/', branch: 'main', message: 'x', content: '' }, /path/],
  ['create_or_update_file', { ...demo, path: 'a', branch: 'main', message: 'x', content: long(1_048_577) }, /content/],
  ['create_or_update_file', { ...demo, path: 'a', branch: 'main', message: 'x', content: '', sha: 'abc' }, /sha/],
  ['push_files', { ...demo, branch: 'main', message: 'x', files: [] }, /files/],
  ['push_files', { ...demo, branch: 'main', message: 'x', files: [{ path: '/a', content: '' }] }, /path/],
  ['push_files', { ...demo, branch: 'main', message: 'x', files: [{ path: 'a', content: '', mode: '1' }] }, /mode/],
  ['merge_pull_request', { ...demo, pullNumber: 46, merge_method: 'force' }, /merge_method/],
  ['merge_pull_request', { ...demo, pullNumber: 46, sha: 'HEAD' }, /sha/],
  ['update_pull_request', { ...demo, pullNumber: 46, state: 'merged' }, /state/],
  ['pull_request_review_write', { ...demo, pullNumber: 46, method: 'create', event: 'PENDING' }, /event/],
  ['pull_request_read', { ...demo, pullNumber: 46, method: 'get_everything' }, /method/],
  ['actions_list', { ...demo, method: 'list_workflow_jobs', resource_id: '../runs' }, /resource_id/],
  ['actions_list', { ...demo, method: 'list_workflow_runs', workflow_runs_filter: { x: 1 } }, /workflow_runs_filter/],
  ['get_job_logs', { ...demo, job_id: 1, tail_lines: 10_001 }, /tail_lines/],
  ['get_job_logs', { ...demo, job_id: 2 ** 60 }, /job_id/],
])('%s refuses %j', async (name, args, what) => {
  expect((await refused([name, args]))[0]).toMatch(what);
});

test('a number that is not there is an answer of GitHub, not a crash', async () => {
  for (const [name, args] of [
    ['pull_request_read', { method: 'get', pullNumber: 2_147_483_647 }],
    ['get_job_logs', { job_id: 999 }],
    ['actions_list', { method: 'list_workflow_jobs', resource_id: '999' }],
  ] as const) {
    const result = await bench.call(name, { ...demo, ...args });
    expect(result).toMatchObject({ isError: true, content: [{ text: expect.stringMatching(/404/) }] });
  }
});

const everything = {
  context: ['get_me'],
  repos: [
    'search_repositories',
    'search_code',
    'get_file_contents',
    'list_commits',
    'get_commit',
    'list_branches',
    'create_branch',
    'create_or_update_file',
    'push_files',
  ],
  issues: ['search_issues', 'list_issues', 'issue_read', 'issue_write', 'add_issue_comment'],
  pull_requests: [
    'search_pull_requests',
    'list_pull_requests',
    'pull_request_read',
    'create_pull_request',
    'update_pull_request',
    'merge_pull_request',
    'pull_request_review_write',
  ],
  users: ['search_users'],
  actions: ['actions_list', 'get_job_logs'],
};
const writing = /^(create_|push_|issue_write|add_|update_|merge_|pull_request_review_write)/;

describe('toolsets', () => {
  test('all of them are offered, to legacy clients too, and what they return fits its schema', async () => {
    const client = await connectLegacy(bench.host);
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name).toSorted()).toEqual(Object.values(everything).flat().toSorted());
    // This client checks structured content against the schema it was given.
    const me = (await client.callTool({ name: 'get_me', arguments: {} })) as unknown as Result;
    expect(me.structuredContent).toMatchObject({ login: 'mona' });
    const issue = { ...demo, method: 'create', title: 'From a legacy client' };
    const made = (await client.callTool({ name: 'issue_write', arguments: issue })) as unknown as Result;
    expect(made.structuredContent).toMatchObject({ title: 'From a legacy client' });
    const bad = { ...demo, method: 'update', title: 'x' };
    expect(await client.callTool({ name: 'issue_write', arguments: bad })).toMatchObject({ isError: true });
    await client.close();
    for (const { name, annotations, outputSchema } of tools) {
      expect(annotations?.readOnlyHint, name).toBe(!writing.test(name));
      if (writing.test(name)) expect(outputSchema, name).toBeDefined();
    }
  });

  test.each(Object.keys(everything) as (keyof typeof everything)[])('%s alone, read-only', async toolset => {
    await using host = await startHost({
      upstreamUrl: bench.github.url,
      config: { readOnly: true, toolsets: [toolset] },
    });
    const client = await connectModern(host);
    const { tools } = await client.listTools();
    const offered = everything[toolset].filter(name => !writing.test(name));
    expect(tools.map(({ name }) => name).toSorted()).toEqual(offered.toSorted());
    await bench.github.forgetCalls();
    const hidden = Object.values(everything)
      .flat()
      .filter(name => !offered.includes(name));
    for (const name of hidden) {
      await expect(client.callTool({ name, arguments: { ...demo, query: 'x', method: 'get' } })).rejects.toThrow(name);
    }
    expect(await bench.github.calls()).toEqual([]);
    await client.close();
  });
});
