import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { demo, lineOf, openGithub, textOf } from '../support/github.ts';
import type { GithubBench } from '../support/github.ts';

let bench: GithubBench;
beforeAll(async () => {
  bench = await openGithub();
});
afterAll(() => bench[Symbol.asyncDispose]());

/** A call that must succeed: what it gave to a program and to the model, and what GitHub was asked. */
async function write(name: string, args: Record<string, unknown>) {
  const { result, asked } = await bench.ask(name, { ...demo, ...args });
  expect(result.isError, textOf(result)).not.toBe(true);
  expect(JSON.parse(result.content[0]!.text)).toEqual(result.structuredContent);
  return { data: result.structuredContent!, lines: asked.map(lineOf), asked };
}

async function refuse(name: string, args: Record<string, unknown>, reason: RegExp): Promise<string[]> {
  const { result, asked } = await bench.ask(name, { ...demo, ...args });
  expect(result.isError).toBe(true);
  expect(textOf(result)).toMatch(reason);
  return asked.map(lineOf);
}

const shaPattern = /^[0-9a-f]{40}$/;

test('issue_write and add_issue_comment', async () => {
  const { data, asked } = await write('issue_write', { method: 'create', title: 'New', body: 'B', labels: ['x'] });
  expect(lineOf(asked[0]!)).toBe('POST /repos/mona/demo/issues');
  expect(asked[0]!.body).toEqual({ title: 'New', body: 'B', labels: ['x'] });
  const issue_number = data['number'];
  const update = await write('issue_write', {
    method: 'update',
    issue_number,
    state: 'closed',
    state_reason: 'completed',
  });
  expect(update.lines).toEqual([`PATCH /repos/mona/demo/issues/${String(issue_number)}`]);
  expect(update.asked[0]!.body).toEqual({ state: 'closed', state_reason: 'completed' });
  const comment = await write('add_issue_comment', { issue_number, body: 'Done.' });
  expect(comment.lines).toEqual([`POST /repos/mona/demo/issues/${String(issue_number)}/comments`]);
  expect(comment.asked[0]!.body).toEqual({ body: 'Done.' });
  expect(comment.data).toMatchObject({ body: 'Done.', user: 'mona', id: expect.any(Number) });
  const conversation = await bench.read('issue_read', { ...demo, method: 'get_comments', issue_number });
  expect(conversation).toMatchObject({ items: [{ body: 'Done.' }] });
});

test('issue_write says which arguments go together', async () => {
  expect(await refuse('issue_write', { method: 'create', title: 'x', state: 'closed' }, /method "update"/)).toEqual([]);
  const reason = { method: 'update', issue_number: 1, state_reason: 'completed' };
  expect(await refuse('issue_write', reason, /goes with state "closed"/)).toEqual([]);
});

test('create_branch starts at the default branch, or at another', async () => {
  const first = await write('create_branch', { branch: 'from-default' });
  expect(first.lines).toEqual([
    'GET /repos/mona/demo',
    'GET /repos/mona/demo/git/ref/heads/main',
    'POST /repos/mona/demo/git/refs',
  ]);
  expect(first.data).toEqual({ branch: 'from-default', from_branch: 'main', sha: expect.stringMatching(shaPattern) });
  const second = await write('create_branch', { branch: 'deep/er', from_branch: 'feature/x' });
  expect(second.lines[0]).toBe('GET /repos/mona/demo/git/ref/heads/feature/x');
  expect(second.asked[1]!.body).toEqual({ ref: 'refs/heads/deep/er', sha: second.data['sha'] });
  await refuse('create_branch', { branch: 'deep/er' }, /422: Reference already exists/);
  await refuse('create_branch', { branch: 'new', from_branch: 'nowhere' }, /404/);
});

describe('create_or_update_file', () => {
  test('creates, and replaces only what it has seen', async () => {
    const file = { path: 'docs/guide.md', branch: 'topic' };
    const made = await write('create_or_update_file', { ...file, content: 'Grüße\n', message: 'Add a guide' });
    expect(made.lines).toEqual(['PUT /repos/mona/demo/contents/docs/guide.md']);
    expect(made.asked[0]!.body).toEqual({
      message: 'Add a guide',
      content: Buffer.from('Grüße\n').toString('base64'),
      branch: 'topic',
    });
    expect(made.data).toMatchObject({ path: 'docs/guide.md', commit: { sha: expect.stringMatching(shaPattern) } });
    const next = { ...file, content: 'Hello\n', message: 'Say hello' };
    await refuse('create_or_update_file', next, /422:.*sha.*wasn't supplied/);
    await refuse('create_or_update_file', { ...next, sha: 'f'.repeat(40) }, /409.*does not match.*Read the present/);
    await write('create_or_update_file', { ...next, sha: made.data['sha'] });
    const read = await bench.call('get_file_contents', { ...demo, path: file.path, ref: 'topic' });
    expect(read.content[1]!.text).toBe('Hello\n');
  });

  test.each([
    'docs/a b#c?d.md',
    'docs/größe 100%.md',
    "docs/it's [1] & {2}+;=@$,!.md",
    'docs/:owner/{repo}.md',
    '日本語/ファイル.txt',
    ' leading and trailing ',
    '-rf',
    'a.b..c',
  ])('%s arrives as it is', async path => {
    const { lines } = await write('create_or_update_file', {
      path,
      branch: 'odd',
      content: path,
      message: 'x',
      ...(await shaOf(path)),
    });
    expect(lines).toEqual([`PUT /repos/mona/demo/contents/${path.split('/').map(encodeURIComponent).join('/')}`]);
    const { result, asked } = await bench.ask('get_file_contents', { ...demo, path, ref: 'odd' });
    expect(asked[0]!.path).toBe(`/repos/mona/demo/contents/${path}`);
    expect(result.content[1]!.text).toBe(path);
  });
});

/** The sha of a file that may be there already. */
async function shaOf(path: string): Promise<{ sha?: unknown }> {
  const result = await bench.call('get_file_contents', { ...demo, path, ref: 'odd' });
  return result.isError === true ? {} : { sha: (JSON.parse(result.content[0]!.text) as { sha: string }).sha };
}

describe('push_files', () => {
  const files = [
    { path: 'push/one.txt', content: 'one' },
    { path: 'push/zwei ü.txt', content: '12345678901234567890n' },
  ];

  test('writes several files as one commit', async () => {
    const before = await bench.read<{ items: { sha: string }[] }>('list_commits', { ...demo, sha: 'feature/x' });
    const { data, lines, asked } = await write('push_files', { branch: 'feature/x', files, message: 'Push two' });
    expect(lines.map(line => line.replaceAll(/[0-9a-f]{40}/g, 'SHA'))).toEqual([
      'GET /repos/mona/demo/git/ref/heads/feature/x',
      'GET /repos/mona/demo/git/commits/SHA',
      'POST /repos/mona/demo/git/trees',
      'POST /repos/mona/demo/git/commits',
      'PATCH /repos/mona/demo/git/refs/heads/feature/x',
    ]);
    expect(asked[2]!.body).toMatchObject({ tree: files.map(file => ({ ...file, mode: '100644', type: 'blob' })) });
    expect(asked[4]!.body).toEqual({ sha: data['sha'], force: false });
    expect(data).toMatchObject({ branch: 'feature/x', parent: before.items[0]!.sha, files: 2 });
    const after = await bench.read('list_commits', { ...demo, sha: 'feature/x' });
    expect(after).toMatchObject({ items: [{ message: 'Push two' }, { sha: before.items[0]!.sha }, {}] });
    for (const { path, content } of files) {
      const read = await bench.call('get_file_contents', { ...demo, path, ref: 'feature/x' });
      expect(read.content[1]!.text).toBe(content);
    }
    const kept = await bench.call('get_file_contents', { ...demo, path: 'README.md', ref: 'feature/x' });
    expect(textOf(kept)).toContain('# Demo');
  });

  test('refuses a path that is named twice, and a branch that is not there', async () => {
    const twice = [files[0], { ...files[0], content: 'other' }];
    expect(await refuse('push_files', { branch: 'topic', files: twice, message: 'x' }, /twice/)).toEqual([]);
    await refuse('push_files', { branch: 'nowhere', files, message: 'x' }, /404/);
  });
});

describe('pull requests', () => {
  test('create, update, ask for reviews, merge', async () => {
    const made = await write('create_pull_request', {
      title: 'Feature',
      head: 'mona:feature/x',
      base: 'main',
      body: 'Please',
      draft: true,
      maintainer_can_modify: false,
    });
    expect(made.lines).toEqual(['POST /repos/mona/demo/pulls']);
    expect(made.asked[0]!.body).toEqual({
      title: 'Feature',
      head: 'mona:feature/x',
      base: 'main',
      body: 'Please',
      draft: true,
      maintainer_can_modify: false,
    });
    expect(made.data).toMatchObject({
      title: 'Feature',
      draft: true,
      head: { ref: 'feature/x' },
      base: { ref: 'main' },
    });
    const pullNumber = made.data['number'];
    const path = `/repos/mona/demo/pulls/${String(pullNumber)}`;

    const changed = await write('update_pull_request', { pullNumber, title: 'Better', reviewers: ['lisa'] });
    expect(changed.lines).toEqual([`PATCH ${path}`, `POST ${path}/requested_reviewers`]);
    expect(changed.asked.map(({ body }) => body)).toEqual([{ title: 'Better' }, { reviewers: ['lisa'] }]);
    expect(changed.data).toMatchObject({ title: 'Better', requested_reviewers: ['lisa'] });
    expect(await refuse('update_pull_request', { pullNumber }, /Nothing to change/)).toEqual([]);

    await refuse('merge_pull_request', { pullNumber, sha: 'f'.repeat(40) }, /409: Head branch was modified/);
    const merged = await write('merge_pull_request', {
      pullNumber,
      merge_method: 'squash',
      commit_title: 'Feature (#1)',
      commit_message: 'All of it',
      sha: (made.data['head'] as { sha: string }).sha,
    });
    expect(merged.lines).toEqual([`PUT ${path}/merge`]);
    expect(merged.asked[0]!.body).toMatchObject({ merge_method: 'squash', commit_title: 'Feature (#1)' });
    expect(merged.data).toEqual({ merged: true, sha: 'c'.repeat(40), message: 'Pull Request successfully merged' });
    await refuse('merge_pull_request', { pullNumber }, /405: Pull Request is not mergeable.*mergeable_state/);
  });

  test('a head that is not there is refused with its reason', async () => {
    await refuse('create_pull_request', { title: 'x', head: 'nowhere', base: 'main' }, /422: Validation Failed.*head/);
  });
});

describe('pull_request_review_write', () => {
  const about = { pullNumber: 46 };
  const path = '/repos/mona/demo/pulls/46/reviews';

  test('a review in one step', async () => {
    const comments = [{ path: 'README.md', line: 3, side: 'RIGHT', start_line: 1, body: 'Why?' }];
    const { data, asked } = await write('pull_request_review_write', {
      ...about,
      method: 'create',
      event: 'REQUEST_CHANGES',
      body: 'Not yet',
      commitID: 'a'.repeat(40),
      comments,
    });
    expect(lineOf(asked[0]!)).toBe(`POST ${path}`);
    expect(asked[0]!.body).toEqual({ event: 'REQUEST_CHANGES', body: 'Not yet', commit_id: 'a'.repeat(40), comments });
    expect(data).toMatchObject({ state: 'CHANGES_REQUESTED', user: 'mona', body: 'Not yet' });
  });

  test('a pending review is submitted, or thrown away', async () => {
    const pending = await write('pull_request_review_write', { ...about, method: 'create' });
    expect(pending.data['state']).toBe('PENDING');
    const submitted = await write('pull_request_review_write', {
      ...about,
      method: 'submit_pending',
      event: 'APPROVE',
    });
    expect(submitted.lines).toEqual([
      `GET ${path}?page=1&per_page=100`,
      `POST ${path}/${String(pending.data['id'])}/events`,
    ]);
    expect(submitted.data).toMatchObject({ id: pending.data['id'], state: 'APPROVED' });
    await refuse('pull_request_review_write', { ...about, method: 'delete_pending' }, /no pending review/);
    const other = await write('pull_request_review_write', { ...about, method: 'create', body: 'Draft' });
    const gone = await write('pull_request_review_write', { ...about, method: 'delete_pending' });
    expect(gone.lines[1]).toBe(`DELETE ${path}/${String(other.data['id'])}`);
    expect(gone.data['state']).toBe('DELETED');
  });

  test.each<[object, RegExp]>([
    [{ method: 'create', event: 'COMMENT' }, /COMMENT needs a body/],
    [{ method: 'submit_pending' }, /needs an event/],
    [{ method: 'submit_pending', event: 'REQUEST_CHANGES' }, /needs a body/],
    [{ method: 'submit_pending', event: 'APPROVE', comments: [] }, /go with "create"/],
  ])('%o is not enough', async (args, reason) => {
    expect(await refuse('pull_request_review_write', { ...about, ...args }, reason)).toEqual([]);
  });

  test("GitHub's own refusal is passed on", async () => {
    const mine = { pullNumber: 47, method: 'create', event: 'APPROVE' };
    await refuse('pull_request_review_write', mine, /422: Unprocessable Entity; Can not approve your own/);
  });
});
