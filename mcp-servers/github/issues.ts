import { z } from 'zod';
import { showError, showObject, showPage } from '../tool/result.ts';
import { showComment } from './comment.ts';
import { defineTool, owner, page, perPage, repo } from './tool.ts';
import { reads } from '../tool/tool.ts';
import type { GithubCall, GithubTool } from './tool.ts';

interface Issue {
  number: number;
  title: string;
  state: string;
  state_reason?: string | null | undefined;
  body?: string | null | undefined;
  html_url: string;
  user: { login: string } | null;
  labels: (string | { name?: string | undefined })[];
  assignees?: { login: string }[] | null | undefined;
  milestone?: { title: string } | null | undefined;
  comments: number;
  created_at: string;
  updated_at: string;
  closed_at?: string | null | undefined;
}

function showIssue(issue: Issue): object {
  return {
    number: issue.number,
    title: issue.title,
    state: issue.state,
    state_reason: issue.state_reason,
    body: issue.body,
    html_url: issue.html_url,
    user: issue.user?.login,
    labels: issue.labels.map(label => (typeof label === 'string' ? label : label.name)),
    assignees: issue.assignees?.map(assignee => assignee.login),
    milestone: issue.milestone?.title,
    comments: issue.comments,
    created_at: issue.created_at,
    updated_at: issue.updated_at,
    closed_at: issue.closed_at,
  };
}

const issueNumber = z.int().min(1).describe('Number of the issue');

const listIssues = defineTool({
  name: 'list_issues',
  title: 'List issues',
  description: 'Issues of a repository, newest first unless ordered otherwise. Pull requests are not among them.',
  toolset: 'issues',
  input: z.object({
    owner,
    repo,
    state: z.enum(['OPEN', 'CLOSED']).optional().describe('Default: both'),
    labels: z
      .array(z.string().min(1).max(100))
      .max(20)
      .optional()
      .describe('Only issues that have all of these labels'),
    orderBy: z.enum(['CREATED_AT', 'UPDATED_AT', 'COMMENTS']).optional().describe('What to order by'),
    direction: z.enum(['ASC', 'DESC']).optional().describe('Order direction'),
    since: z.iso.datetime({ offset: true }).optional().describe('Only issues changed since this time (ISO 8601)'),
    page,
    perPage,
  }),
  annotations: reads,
  async run(input, { api, signal }) {
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
      request: { signal },
    });
    // GitHub's REST API counts pull requests as issues; a page may therefore be shorter than asked for.
    const issues = data.filter(issue => issue.pull_request === undefined).map(showIssue);
    return showPage(issues, { page: input.page, per_page: input.perPage }, headers.link);
  },
});

type ReadCall = Omit<GithubCall, 'signal'> & {
  readonly where: { owner: string; repo: string; issue_number: number; request: { signal: AbortSignal } };
  readonly paging: { page: number; per_page: number };
};

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
  run: (input, { api, signal }) =>
    readMethods[input.method]({
      api,
      where: { owner: input.owner, repo: input.repo, issue_number: input.issue_number, request: { signal } },
      paging: { page: input.page, per_page: input.perPage },
    }),
});

const writeInput = z.object({
  method: z.enum(['create', 'update']).describe('create: a new issue, needs title; update: needs issue_number'),
  owner,
  repo,
  issue_number: issueNumber.optional(),
  title: z.string().min(1).max(256).optional().describe('Title'),
  body: z.string().max(65_536).optional().describe('Body, in Markdown'),
  assignees: z.array(z.string().min(1).max(100)).max(10).optional().describe('User names; replaces those it has'),
  labels: z.array(z.string().min(1).max(100)).max(100).optional().describe('Label names; replaces those it has'),
  milestone: z.int().min(1).optional().describe('Number of a milestone'),
  state: z.enum(['open', 'closed']).optional().describe('New state; with update only'),
  state_reason: z.enum(['completed', 'not_planned', 'duplicate']).optional().describe('Why it is closed'),
});

const issueWrite = defineTool({
  name: 'issue_write',
  title: 'Create or update an issue',
  description: 'Create a new issue in a repository, or change one.',
  toolset: 'issues',
  input: writeInput,
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  run: (input, call) => (input.method === 'create' ? createIssue(input, call) : updateIssue(input, call)),
});

async function createIssue(input: z.output<typeof writeInput>, { api, signal }: GithubCall) {
  if (input.title === undefined) return showError('issue_write with method "create" needs a title.');
  const { data } = await api.rest.issues.create({
    owner: input.owner,
    repo: input.repo,
    title: input.title,
    ...changed(input),
    request: { signal },
  });
  return showObject(showIssue(data));
}

async function updateIssue(input: z.output<typeof writeInput>, { api, signal }: GithubCall) {
  if (input.issue_number === undefined) return showError('issue_write with method "update" needs an issue_number.');
  const { data } = await api.rest.issues.update({
    owner: input.owner,
    repo: input.repo,
    issue_number: input.issue_number,
    ...(input.title !== undefined && { title: input.title }),
    ...(input.state !== undefined && { state: input.state }),
    ...(input.state_reason !== undefined && { state_reason: input.state_reason }),
    ...changed(input),
    request: { signal },
  });
  return showObject(showIssue(data));
}

function changed({ body, assignees, labels, milestone }: z.output<typeof writeInput>) {
  return {
    ...(body !== undefined && { body }),
    ...(assignees !== undefined && { assignees }),
    ...(labels !== undefined && { labels }),
    ...(milestone !== undefined && { milestone }),
  };
}

export const issueTools: readonly GithubTool[] = [listIssues, issueRead, issueWrite];
