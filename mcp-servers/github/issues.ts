import { z } from 'zod';
import { showObject, showPage } from '../tool/result.ts';
import { reads } from '../tool/tool.ts';
import { issueNumber, labelNames, owner, page, perPage, repo, time } from './arguments.ts';
import type { GithubApi } from './client.ts';
import { showComment } from './comment.ts';
import { showIssue } from './issue.ts';
import { defineTool } from './tool.ts';
import type { GithubTool } from './tool.ts';

const listIssues = defineTool({
  name: 'list_issues',
  title: 'List issues',
  description: 'Issues of a repository, newest first unless ordered otherwise. Pull requests are not among them.',
  toolset: 'issues',
  input: z.object({
    owner,
    repo,
    state: z.enum(['OPEN', 'CLOSED']).optional().describe('Default: both'),
    labels: labelNames.optional().describe('Only issues that have all of these labels'),
    orderBy: z.enum(['CREATED_AT', 'UPDATED_AT', 'COMMENTS']).optional().describe('What to order by'),
    direction: z.enum(['ASC', 'DESC']).optional().describe('Order direction'),
    since: time.optional().describe('Only issues changed since this time (ISO 8601)'),
    page,
    perPage,
  }),
  annotations: reads,
  async run(input, { api }) {
    const sort = { CREATED_AT: 'created', UPDATED_AT: 'updated', COMMENTS: 'comments' } as const;
    const { data, headers } = await api.rest.issues.listForRepo({
      owner: input.owner,
      repo: input.repo,
      state: input.state === undefined ? 'all' : input.state === 'OPEN' ? 'open' : 'closed',
      ...(input.labels && { labels: input.labels.join(',') }),
      ...(input.orderBy && { sort: sort[input.orderBy] }),
      ...(input.direction && { direction: input.direction === 'ASC' ? 'asc' : 'desc' }),
      ...(input.since && { since: input.since }),
      page: input.page,
      per_page: input.perPage,
    });
    // GitHub's REST API counts pull requests as issues; a page may therefore be shorter than asked for.
    const issues = data.filter(issue => issue.pull_request === undefined).map(showIssue);
    return showPage(issues, { page: input.page, per_page: input.perPage }, headers.link);
  },
});

interface ReadCall {
  readonly api: GithubApi;
  readonly where: { owner: string; repo: string; issue_number: number };
  readonly paging: { page: number; per_page: number };
}

const readMethods = {
  async get({ api, where }: ReadCall) {
    const { data } = await api.rest.issues.get(where);
    return showObject(showIssue(data));
  },
  async get_comments({ api, where, paging }: ReadCall) {
    const { data, headers } = await api.rest.issues.listComments({ ...where, ...paging });
    return showPage(data.map(showComment), paging, headers.link);
  },
  async get_sub_issues({ api, where, paging }: ReadCall) {
    const { data, headers } = await api.rest.issues.listSubIssues({ ...where, ...paging });
    return showPage(data.map(showIssue), paging, headers.link);
  },
  async get_labels({ api, where, paging }: ReadCall) {
    const { data, headers } = await api.rest.issues.listLabelsOnIssue({ ...where, ...paging });
    const labels = data.map(({ name, description, color }) => ({ name, description, color }));
    return showPage(labels, paging, headers.link);
  },
};

const issueRead = defineTool({
  name: 'issue_read',
  title: 'Get issue details',
  description: 'Details of one issue, its comments, its labels or its sub-issues.',
  toolset: 'issues',
  input: z.object({
    method: z
      .enum(['get', 'get_comments', 'get_sub_issues', 'get_labels'])
      .describe('get: the issue itself; get_comments; get_sub_issues: its children; get_labels'),
    owner,
    repo,
    issue_number: issueNumber,
    page,
    perPage,
  }),
  annotations: reads,
  run: (input, { api }) =>
    readMethods[input.method]({
      api,
      where: { owner: input.owner, repo: input.repo, issue_number: input.issue_number },
      paging: { page: input.page, per_page: input.perPage },
    }),
});

export const issueTools: readonly GithubTool[] = [listIssues, issueRead];
