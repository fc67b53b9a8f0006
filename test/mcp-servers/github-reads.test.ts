import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { demo, lineOf, openGithub, textOf } from '../support/github.ts';
import type { GithubBench, Page } from '../support/github.ts';

let bench: GithubBench;
beforeAll(async () => {
  bench = await openGithub();
});
afterAll(() => bench[Symbol.asyncDispose]());

/** The page that a tool shows, and the requests that it took. */
async function list(name: string, args: Record<string, unknown>): Promise<Page & { lines: string[] }> {
  const { result, asked } = await bench.ask(name, args);
  expect(result.isError, textOf(result)).not.toBe(true);
  return { ...(JSON.parse(result.content.at(-1)!.text) as Page), lines: asked.map(lineOf) };
}

describe('search', () => {
  test('search_code shows where and what matched', async () => {
    const { items, paging, lines } = await list('search_code', { query: 'answer repo:mona/demo' });
    expect(items).toMatchObject(
      [{ path: 'src/index.ts', repository: 'mona/demo', fragments: [/answer = 42/] }].map(item => ({
        ...item,
        fragments: [expect.stringMatching(item.fragments[0]!)],
      })),
    );
    expect(paging).toMatchObject({ totalCount: 1, nextPage: null });
    expect(lines).toEqual(['GET /search/code?q=answer%20repo%3Amona%2Fdemo&page=1&per_page=30']);
    const [asked] = await bench.github.calls();
    expect(asked!.headers.accept).toBe('application/vnd.github.text-match+json');
  });

  test('search_issues and search_pull_requests keep to their kind and repository', async () => {
    const issues = await list('search_issues', {
      ...demo,
      query: 'Issue',
      perPage: 10,
      page: 2,
      sort: 'created',
      order: 'asc',
    });
    expect(issues.items[0]).toMatchObject({ number: 11, repository: 'mona/demo' });
    expect(issues.paging).toEqual({ totalCount: 45, page: 2, perPage: 10, nextPage: 3 });
    expect(issues.lines).toEqual([
      'GET /search/issues?q=Issue%20is%3Aissue%20repo%3Amona%2Fdemo&order=asc&page=2&per_page=10&sort=created',
    ]);
    const pulls = await list('search_pull_requests', { query: 'request', owner: 'mona' });
    expect(pulls.items.map(pull => pull['number'])).toEqual([46, 47]);
    expect(pulls.lines).toEqual(['GET /search/issues?q=request%20is%3Apr%20user%3Amona&page=1&per_page=30']);
  });

  test('search_issues wants an owner with a repository', async () => {
    const { result, asked } = await bench.ask('search_issues', { query: 'x', repo: 'demo' });
    expect(textOf(result)).toMatch(/owner/);
    expect(result.isError).toBe(true);
    expect(asked).toEqual([]);
  });

  test('search_users', async () => {
    const { items, lines } = await list('search_users', { query: 'lisa', sort: 'followers', perPage: 1 });
    expect(items).toEqual([expect.objectContaining({ login: 'lisa', type: 'User' })]);
    expect(lines).toEqual(['GET /search/users?q=lisa&page=1&per_page=1&sort=followers']);
  });
});

describe('commits and branches', () => {
  test('list_commits follows a branch, by page and path', async () => {
    const first = await list('list_commits', { ...demo, sha: 'main', perPage: 2 });
    expect(first.items.map(commit => commit['message'])).toEqual(['Add a logo', 'Add the sources']);
    expect(first.paging.nextPage).toBe(2);
    expect(first.lines).toEqual(['GET /repos/mona/demo/commits?sha=main&page=1&per_page=2']);
    const path = await list('list_commits', {
      ...demo,
      path: 'src/index.ts',
      author: 'mona',
      since: '2026-01-01T00:00:00Z',
      until: '2026-12-01T00:00:00+01:00',
    });
    expect(path.items).toMatchObject([{ message: 'Add the sources', author: { login: 'mona', name: 'Mona Test' } }]);
    expect(path.lines[0]).toContain('author=mona&path=src%2Findex.ts&since=2026-01-01T00%3A00%3A00Z&until=2026-12');
  });

  test('get_commit shows its files, with their diffs or without', async () => {
    const { result, asked } = await bench.ask('get_commit', { ...demo, sha: 'feature/x', perPage: 2 });
    expect(asked.map(lineOf)).toEqual(['GET /repos/mona/demo/commits/feature%2Fx?page=1&per_page=2']);
    const [about, files] = result.content.map(({ text }) => JSON.parse(text) as Record<string, unknown>);
    expect(about).toMatchObject({ message: 'Add the sources', stats: { total: 6 }, parents: [expect.any(String)] });
    expect(files).toMatchObject({
      items: [{ filename: 'src/index.ts', patch: expect.stringContaining('@@') }, { filename: 'src/long.txt' }],
      paging: { nextPage: 2 },
    });
    const bare = await bench.call('get_commit', { ...demo, sha: String(about!['sha']), include_diff: false });
    expect(textOf(bare)).not.toContain('@@');
  });

  test('list_branches', async () => {
    const { items, lines } = await list('list_branches', { ...demo, perPage: 50 });
    expect(items.map(branch => branch['name'])).toEqual(['main', 'topic', 'feature/x', 'odd']);
    expect(items[0]).toEqual({ name: 'main', sha: expect.stringMatching(/^[0-9a-f]{40}$/), protected: true });
    expect(lines).toEqual(['GET /repos/mona/demo/branches?page=1&per_page=50']);
  });

  test('a repository without a commit says so', async () => {
    const result = await bench.call('list_commits', { owner: 'mona', repo: 'empty' });
    expect(textOf(result)).toMatch(/conflict \(409: Git Repository is empty/);
  });
});

test('a directory comes in pages', async () => {
  const first = await list('get_file_contents', { ...demo, path: 'src', perPage: 2 });
  expect(first.items).toHaveLength(2);
  expect(first.paging).toEqual({ totalCount: 3, page: 1, perPage: 2, nextPage: 2 });
  const second = await list('get_file_contents', { ...demo, path: 'src', perPage: 2, page: 2 });
  expect(second.items).toHaveLength(1);
  expect(second.paging.nextPage).toBeNull();
});

describe('actions_list', () => {
  test('workflows', async () => {
    const { items, lines } = await list('actions_list', { ...demo, method: 'list_workflows' });
    expect(items).toMatchObject([{ id: 11, path: '.github/workflows/ci.yml' }, { id: 12 }]);
    expect(lines).toEqual(['GET /repos/mona/demo/actions/workflows?page=1&per_page=30']);
  });

  test('runs of all workflows, of one, and filtered', async () => {
    const all = await list('actions_list', { ...demo, method: 'list_workflow_runs', perPage: 1 });
    expect(all.items).toMatchObject([{ id: 201, conclusion: 'success', actor: 'mona' }]);
    expect(all.paging.nextPage).toBe(2);
    const one = await list('actions_list', {
      ...demo,
      method: 'list_workflow_runs',
      resource_id: 'ci.yml',
      workflow_runs_filter: { status: 'failure', branch: 'main', event: 'push', actor: 'mona' },
    });
    expect(one.items.map(run => run['id'])).toEqual([202]);
    expect(one.lines).toEqual([
      'GET /repos/mona/demo/actions/workflows/ci.yml/runs?actor=mona&branch=main&event=push&status=failure&page=1&per_page=30',
    ]);
  });

  test('jobs and artifacts of a run', async () => {
    const jobs = await list('actions_list', { ...demo, method: 'list_workflow_jobs', resource_id: '202' });
    expect(jobs.items.map(job => job['conclusion'])).toEqual(['success', 'failure', 'failure', 'timed_out']);
    expect(jobs.lines).toEqual(['GET /repos/mona/demo/actions/runs/202/jobs?filter=latest&page=1&per_page=30']);
    const artifacts = await list('actions_list', {
      ...demo,
      method: 'list_workflow_run_artifacts',
      resource_id: '202',
    });
    expect(artifacts.items).toMatchObject([{ name: 'coverage', size_in_bytes: 1234 }]);
  });

  test.each(['list_workflow_jobs', 'list_workflow_run_artifacts'])('%s wants a run', async method => {
    for (const more of [{}, { resource_id: 'ci.yml' }]) {
      const { result, asked } = await bench.ask('actions_list', { ...demo, method, ...more });
      expect(textOf(result)).toMatch(/number of a run/);
      expect(asked).toEqual([]);
    }
  });
});

interface StorageCall {
  path: string;
  headers: Record<string, string>;
}
const storageCalls = async () => (await bench.github.control('GET', 'storage')) as StorageCall[];

describe('get_job_logs', () => {
  test('shows the end of a log, without colours, and gives the storage no token', async () => {
    const { result, asked } = await bench.ask('get_job_logs', { ...demo, job_id: 302, tail_lines: 3 });
    expect(asked.map(lineOf)).toEqual(['GET /repos/mona/demo/actions/jobs/302/logs']);
    expect(asked[0]!.headers.authorization).toBe('token ghp_testtoken');
    const about = JSON.parse(result.content[0]!.text) as Record<string, unknown>;
    expect(about).toMatchObject({ job_id: 302, lines: 3, nextOffset: null, logBytes: expect.any(Number) });
    expect(result.content[1]!.text).toBe('line 1999\nline 2000\nError: expected 42');
    const stored = (await storageCalls()).at(-1)!;
    expect(stored.path).toBe('/log/302?sig=signed');
    expect(JSON.stringify(stored.headers)).not.toMatch(/ghp_|authorization/);
  });

  test('pages through a long tail, and reads over what is before it', async () => {
    const first = await bench.call('get_job_logs', { ...demo, job_id: 304, tail_lines: 2000 });
    const about = JSON.parse(first.content[0]!.text) as Record<string, number>;
    expect(about).toMatchObject({ lines: 2000, logBytes: 6_000_000, nextOffset: 100_000, length: 199_999 });
    const second = await bench.call('get_job_logs', { ...demo, job_id: 304, tail_lines: 2000, offset: 100_000 });
    expect(second.content[1]!.text).toHaveLength(99_999);
    expect(JSON.parse(second.content[0]!.text)).toMatchObject({ nextOffset: null });
  });

  test('begins with a whole line, however much was left out before it', async () => {
    const result = await bench.call('get_job_logs', { ...demo, job_id: 305, tail_lines: 10_000 });
    const about = JSON.parse(result.content[0]!.text) as Record<string, number>;
    expect(about['lines']).toBeGreaterThan(2000);
    expect(about['lines']).toBeLessThan(3000);
    expect(result.content[1]!.text.split('\n')[0]).toHaveLength(999);
  });

  test('shows the failed jobs of a run, and which has no log', async () => {
    const result = await bench.call('get_job_logs', { ...demo, run_id: 202, failed_only: true, tail_lines: 2 });
    const text = textOf(result);
    expect(JSON.parse(result.content[0]!.text)).toEqual({ run_id: 202, jobs: 4, failed: 3, shown: 3 });
    expect(text).toContain('line 2000\nError: expected 42');
    expect(text).toMatch(/"job_id":303.*No log/);
    expect(text).toMatch(/"job_id":304,"name":"slow"/);
    expect(text).not.toContain('"job_id":301');
  });

  test('all failed jobs together are no more than one text', async () => {
    const result = await bench.call('get_job_logs', { ...demo, run_id: 202, failed_only: true, tail_lines: 10_000 });
    expect(textOf(result).length).toBeLessThan(110_000);
    expect(textOf(result)).toMatch(/Cut at its beginning: get_job_logs with job_id 304/);
  });

  test('says what to do when the storage refuses', async () => {
    await bench.github.control('PUT', 'storage', { status: 403 });
    const result = await bench.call('get_job_logs', { ...demo, job_id: 301 });
    await bench.github.control('PUT', 'storage', { status: null });
    expect(result.isError).toBe(true);
    expect(textOf(result)).toMatch(/storage that GitHub referred to answered with 403.*Try again/);
    expect(textOf(await bench.call('get_job_logs', { ...demo, job_id: 301 }))).toContain('line 1\nline 2\nline 3');
  });

  test.each([{}, { run_id: 202 }, { failed_only: true }, { job_id: 1, run_id: 202 }])(
    '%o is not enough',
    async args => {
      const { result, asked } = await bench.ask('get_job_logs', { ...demo, ...args });
      expect(result.isError).toBe(true);
      expect(textOf(result)).toMatch(/Give job_id, or run_id with failed_only/);
      expect(asked).toEqual([]);
    },
  );
});
