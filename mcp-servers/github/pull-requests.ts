import { z } from 'zod';
import { showPage } from '../tool/result.ts';
import { reads } from '../tool/tool.ts';
import { branch, headBranch, owner, page, perPage, repo } from './arguments.ts';
import { showPullRequest } from './pull-request.ts';
import { defineTool } from './tool.ts';
import type { GithubTool } from './tool.ts';

const listPullRequests = defineTool({
  name: 'list_pull_requests',
  title: 'List pull requests',
  description: 'Pull requests of a repository, open ones unless asked otherwise.',
  toolset: 'pull_requests',
  input: z.object({
    owner,
    repo,
    state: z.enum(['open', 'closed', 'all']).optional().describe('Default: open'),
    head: headBranch.optional().describe('Only from this branch, as user:branch'),
    base: branch.optional().describe('Only into this branch'),
    sort: z.enum(['created', 'updated', 'popularity', 'long-running']).optional().describe('What to sort by'),
    direction: z.enum(['asc', 'desc']).optional().describe('Sort direction'),
    page,
    perPage,
  }),
  annotations: reads,
  async run(input, { api }) {
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
    });
    return showPage(data.map(showPullRequest), { page: input.page, per_page: input.perPage }, headers.link);
  },
});

export const pullRequestTools: readonly GithubTool[] = [listPullRequests];
