import { z } from 'zod';
import { showObject, showPage, showText } from '../tool/result.ts';
import { reads } from '../tool/tool.ts';
import { offset, owner, page, perPage, pullNumber, repo } from './arguments.ts';
import type { GithubApi } from './client.ts';
import { showComment } from './comment.ts';
import { showPullRequest } from './pull-request.ts';
import { defineTool } from './tool.ts';
import type { GithubTool } from './tool.ts';

interface ReadCall {
  readonly api: GithubApi;
  readonly offset: number;
  readonly where: { owner: string; repo: string; pull_number: number };
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
  async get_status({ api, where, paging }: ReadCall) {
    const { data: pull } = await api.rest.pulls.get(where);
    const { pull_number: _number, ...of } = where;
    const { data } = await api.rest.repos.getCombinedStatusForRef({ ...of, ref: pull.head.sha, ...paging });
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
    pullNumber,
    page,
    perPage,
    offset,
  }),
  annotations: reads,
  run: (input, { api }) =>
    readMethods[input.method]({
      api,
      offset: input.offset,
      where: { owner: input.owner, repo: input.repo, pull_number: input.pullNumber },
      paging: { page: input.page, per_page: input.perPage },
    }),
});

export const pullRequestReadTools: readonly GithubTool[] = [pullRequestRead];
