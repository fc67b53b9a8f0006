import type { Octokit } from '@octokit/rest';
import { z } from 'zod';
import { showComment } from './comment.ts';
import { showObject, showPage, showText } from '../tool/result.ts';
import { defineTool, offset, owner, page, perPage, repo } from './tool.ts';
import { reads } from '../tool/tool.ts';
import type { GithubTool } from './tool.ts';

interface Branch {
  ref: string;
  sha: string;
  repo: { full_name: string } | null;
}

interface PullRequest {
  number: number;
  title: string;
  state: string;
  draft?: boolean | undefined;
  body: string | null;
  html_url: string;
  user: { login: string } | null;
  labels: { name: string }[];
  assignees?: { login: string }[] | null | undefined;
  requested_reviewers?: { login: string }[] | null | undefined;
  head: Branch;
  base: Branch;
  created_at: string;
  updated_at: string;
  closed_at: string | null;
  merged_at: string | null;
}

function showPullRequest(pull: PullRequest) {
  const branch = ({ ref, sha, repo: origin }: Branch) => ({ ref, sha, repo: origin?.full_name });
  return {
    number: pull.number,
    title: pull.title,
    state: pull.state,
    draft: pull.draft,
    body: pull.body,
    html_url: pull.html_url,
    user: pull.user?.login,
    labels: pull.labels.map(label => label.name),
    assignees: pull.assignees?.map(assignee => assignee.login),
    requested_reviewers: pull.requested_reviewers?.map(reviewer => reviewer.login),
    head: branch(pull.head),
    base: branch(pull.base),
    created_at: pull.created_at,
    updated_at: pull.updated_at,
    closed_at: pull.closed_at,
    merged_at: pull.merged_at,
  };
}

const listPullRequests = defineTool({
  name: 'list_pull_requests',
  title: 'List pull requests',
  description: 'Pull requests of a repository, open ones unless asked otherwise.',
  toolset: 'pull_requests',
  input: z.object({
    owner,
    repo,
    state: z.enum(['open', 'closed', 'all']).optional().describe('Default: open'),
    head: z.string().max(256).optional().describe('Only from this branch, as user:branch'),
    base: z.string().max(256).optional().describe('Only into this branch'),
    sort: z.enum(['created', 'updated', 'popularity', 'long-running']).optional().describe('What to sort by'),
    direction: z.enum(['asc', 'desc']).optional().describe('Sort direction'),
    page,
    perPage,
  }),
  annotations: reads,
  async run(input, { api, signal }) {
    const { data, headers } = await api.rest.pulls.list({
      owner: input.owner,
      repo: input.repo,
      ...(input.state && { state: input.state }),
      ...(input.head && { head: input.head }),
      ...(input.base && { base: input.base }),
      ...(input.sort && { sort: input.sort }),
      ...(input.direction && { direction: input.direction }),
      page: input.page,
      per_page: input.perPage,
      request: { signal },
    });
    return showPage(data.map(showPullRequest), { page: input.page, per_page: input.perPage }, headers.link);
  },
});

interface ReadCall {
  readonly api: Octokit;
  readonly offset: number;
  readonly where: { owner: string; repo: string; pull_number: number; request: { signal: AbortSignal } };
  readonly paging: { page: number; per_page: number };
}

const readMethods = {
  async get({ api, where }: ReadCall) {
    const { data } = await api.rest.pulls.get(where);
    const { merged, mergeable, mergeable_state, additions, deletions, changed_files, commits } = data;
    const more = { merged, mergeable, mergeable_state, additions, deletions, changed_files, commits };
    return showObject({ ...showPullRequest(data), ...more });
  },
  async get_diff({ api, where, offset: from }: ReadCall) {
    const { data } = await api.rest.pulls.get({ ...where, mediaType: { format: 'diff' } });
    return showText({ pullNumber: where.pull_number }, data as unknown as string, from);
  },
  async get_status({ api, where }: ReadCall) {
    const { data: pull } = await api.rest.pulls.get(where);
    const { owner: of, repo: within, request } = where;
    const { data } = await api.rest.repos.getCombinedStatusForRef({
      owner: of,
      repo: within,
      ref: pull.head.sha,
      request,
    });
    const statuses = data.statuses.map(({ context, state, description, target_url }) => ({
      context,
      state,
      description,
      target_url,
    }));
    return showObject({ state: data.state, sha: data.sha, total_count: data.total_count, statuses });
  },
  async get_files({ api, where, paging }: ReadCall) {
    const { data, headers } = await api.rest.pulls.listFiles({ ...where, ...paging });
    const files = data.map(({ filename, status, additions, deletions, patch }) => ({
      filename,
      status,
      additions,
      deletions,
      patch,
    }));
    return showPage(files, paging, headers.link);
  },
  async get_review_comments({ api, where, paging }: ReadCall) {
    const { data, headers } = await api.rest.pulls.listReviewComments({ ...where, ...paging });
    const comments = data.map(comment => ({
      ...showComment(comment),
      path: comment.path,
      line: comment.line,
      in_reply_to_id: comment.in_reply_to_id,
    }));
    return showPage(comments, paging, headers.link);
  },
  async get_reviews({ api, where, paging }: ReadCall) {
    const { data, headers } = await api.rest.pulls.listReviews({ ...where, ...paging });
    const reviews = data.map(({ id, user, state, body, html_url, submitted_at }) => ({
      id,
      user: user?.login,
      state,
      body,
      html_url,
      submitted_at,
    }));
    return showPage(reviews, paging, headers.link);
  },
  async get_comments({ api, where, paging }: ReadCall) {
    const { pull_number: issue_number, ...rest } = where;
    const { data, headers } = await api.rest.issues.listComments({ ...rest, issue_number, ...paging });
    return showPage(data.map(showComment), paging, headers.link);
  },
};

const pullRequestRead = defineTool({
  name: 'pull_request_read',
  title: 'Get details of a pull request',
  description:
    'One pull request: details, diff, status of its head commit, files, comments, reviews or review comments.',
  toolset: 'pull_requests',
  input: z.object({
    method: z
      .enum(['get', 'get_diff', 'get_status', 'get_files', 'get_review_comments', 'get_reviews', 'get_comments'])
      .describe(
        'get: the pull request itself; get_diff: its whole diff, in parts by offset; get_status: combined commit status; ' +
          'get_files: changed files with patches; get_review_comments: comments on lines; get_reviews: verdicts; ' +
          'get_comments: the conversation',
      ),
    owner,
    repo,
    pullNumber: z.int().min(1).describe('Number of the pull request'),
    page,
    perPage,
    offset,
  }),
  annotations: reads,
  run: (input, { api, signal }) =>
    readMethods[input.method]({
      api,
      offset: input.offset,
      where: { owner: input.owner, repo: input.repo, pull_number: input.pullNumber, request: { signal } },
      paging: { page: input.page, per_page: input.perPage },
    }),
});

export const pullRequestTools: readonly GithubTool[] = [listPullRequests, pullRequestRead];
