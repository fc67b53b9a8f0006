import { urls, writtenAt } from './schema.ts';
import type {
  CombinedStatus,
  DiffEntry,
  PullRequest,
  Repository,
  Review,
  ReviewComment,
  SimplePullRequest,
  SimpleUser,
} from './schema.ts';

const pullUrls = [
  'url',
  'html_url',
  'diff_url',
  'patch_url',
  'issue_url',
  'commits_url',
  'review_comments_url',
  'review_comment_url',
  'comments_url',
  'statuses_url',
] as const;

export const headSha = 'a'.repeat(40);

export function buildPullRequest(user: SimpleUser, repo: Repository, number: number): PullRequest & SimplePullRequest {
  const base = `https://github.test/pulls/${number}`;
  const href = (name: string) => ({ href: `${base}/${name}` });
  return {
    id: number,
    node_id: `PR_${number}`,
    number,
    state: 'open',
    locked: false,
    title: `Pull request ${number}`,
    user,
    body: `Body of pull request ${number}`,
    labels: [],
    milestone: null,
    created_at: writtenAt,
    updated_at: writtenAt,
    closed_at: null,
    merged_at: null,
    merge_commit_sha: null,
    assignee: null,
    head: { label: 'mona:topic', ref: 'topic', sha: headSha, user, repo },
    base: { label: 'mona:main', ref: 'main', sha: 'b'.repeat(40), user, repo },
    _links: {
      self: href('self'),
      html: href('html'),
      issue: href('issue'),
      comments: href('comments'),
      review_comments: href('review_comments'),
      review_comment: href('review_comment'),
      commits: href('commits'),
      statuses: href('statuses'),
    },
    author_association: 'OWNER',
    auto_merge: null,
    draft: false,
    merged: false,
    mergeable: true,
    mergeable_state: 'clean',
    merged_by: null,
    comments: 1,
    review_comments: 1,
    maintainer_can_modify: true,
    commits: 1,
    additions: 10,
    deletions: 2,
    changed_files: 3,
    ...urls(base, pullUrls),
  };
}

export function buildDiffEntry(filename: string): DiffEntry {
  return {
    sha: headSha,
    filename,
    status: 'modified',
    additions: 1,
    deletions: 1,
    changes: 2,
    patch: '@@ -1 +1 @@\n-old\n+new',
    ...urls(`https://github.test/${filename}`, ['blob_url', 'raw_url', 'contents_url']),
  };
}

export function buildReview(user: SimpleUser, id: number): Review {
  const base = `https://github.test/reviews/${id}`;
  return {
    id,
    node_id: `RV_${id}`,
    user,
    body: 'Looks good',
    state: 'APPROVED',
    submitted_at: writtenAt,
    commit_id: headSha,
    author_association: 'MEMBER',
    _links: { html: { href: base }, pull_request: { href: base } },
    ...urls(base, ['html_url', 'pull_request_url']),
  };
}

export function buildReviewComment(user: SimpleUser, id: number): ReviewComment {
  const base = `https://github.test/review-comments/${id}`;
  return {
    id,
    node_id: `RC_${id}`,
    pull_request_review_id: 1,
    diff_hunk: '@@ -1 +1 @@',
    path: 'src/index.ts',
    line: 1,
    commit_id: headSha,
    original_commit_id: headSha,
    user,
    body: 'Please rename this',
    created_at: writtenAt,
    updated_at: writtenAt,
    author_association: 'MEMBER',
    _links: { self: { href: base }, html: { href: base }, pull_request: { href: base } },
    ...urls(base, ['url', 'html_url', 'pull_request_url']),
  };
}

export function buildStatus(repository: Repository): CombinedStatus {
  const base = 'https://github.test/status/1';
  return {
    state: 'success',
    sha: headSha,
    total_count: 1,
    repository: repository as CombinedStatus['repository'],
    statuses: [
      {
        id: 1,
        node_id: 'S_1',
        state: 'success',
        context: 'ci/test',
        description: 'All tests passed',
        target_url: base,
        url: base,
        avatar_url: null,
        created_at: writtenAt,
        updated_at: writtenAt,
      },
    ],
    ...urls(base, ['url', 'commit_url']),
  };
}
