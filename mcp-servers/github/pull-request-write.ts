import { z } from 'zod';
import { showError, showStructured } from '../tool/result.ts';
import { adds, replaces } from '../tool/tool.ts';
import { bodyText, branch, commitSha, headBranch, owner, pullNumber, repo, userName } from './arguments.ts';
import type { PullRequest } from './pull-request.ts';
import { pullRequestOutput, showPullRequest } from './pull-request.ts';
import { defineTool } from './tool.ts';
import type { GithubTool } from './tool.ts';

const title = z.string().min(1).max(256).describe('Title');
const body = bodyText.optional().describe('Body, in Markdown');
const maintainerCanModify = z.boolean().optional().describe('Whether maintainers may push to the head branch');

const createPullRequest = defineTool({
  name: 'create_pull_request',
  title: 'Open a pull request',
  description: 'A new pull request from a branch that is pushed already into another one.',
  toolset: 'pull_requests',
  input: z.object({
    owner,
    repo,
    title,
    body,
    head: headBranch.describe('Branch with the changes; from a fork as user:branch'),
    base: branch.describe('Branch to merge into'),
    draft: z.boolean().optional().describe('Open it as a draft'),
    maintainer_can_modify: maintainerCanModify,
  }),
  output: pullRequestOutput,
  annotations: adds,
  async run(input, { api }) {
    const { data } = await api.rest.pulls.create({
      owner: input.owner,
      repo: input.repo,
      title: input.title,
      head: input.head,
      base: input.base,
      ...(input.body !== undefined && { body: input.body }),
      ...(input.draft !== undefined && { draft: input.draft }),
      ...(input.maintainer_can_modify !== undefined && { maintainer_can_modify: input.maintainer_can_modify }),
    });
    return showStructured(showPullRequest(data));
  },
});

const updatePullRequest = defineTool({
  name: 'update_pull_request',
  title: 'Change a pull request',
  description: 'Change title, body, state or base of a pull request, or ask for reviews of it.',
  toolset: 'pull_requests',
  input: z.object({
    owner,
    repo,
    pullNumber,
    title: title.optional(),
    body,
    state: z.enum(['open', 'closed']).optional().describe('New state'),
    base: branch.optional().describe('New branch to merge into'),
    maintainer_can_modify: maintainerCanModify,
    reviewers: z.array(userName).min(1).max(15).optional().describe('Users to ask for a review, besides those asked'),
  }),
  output: pullRequestOutput,
  annotations: replaces,
  async run(input, { api }) {
    const { owner: of, repo: within, pullNumber: pull_number, reviewers, ...fields } = input;
    const where = { owner: of, repo: within, pull_number };
    const changes = {
      ...(fields.title !== undefined && { title: fields.title }),
      ...(fields.body !== undefined && { body: fields.body }),
      ...(fields.state !== undefined && { state: fields.state }),
      ...(fields.base !== undefined && { base: fields.base }),
      ...(fields.maintainer_can_modify !== undefined && { maintainer_can_modify: fields.maintainer_can_modify }),
    };
    let pull: PullRequest | null = null;
    if (Object.keys(changes).length > 0) pull = (await api.rest.pulls.update({ ...where, ...changes })).data;
    if (reviewers !== undefined) pull = (await api.rest.pulls.requestReviewers({ ...where, reviewers })).data;
    if (pull === null)
      return showError('Nothing to change: give title, body, state, base, reviewers or another field.');
    return showStructured(showPullRequest(pull));
  },
});

const mergePullRequest = defineTool({
  name: 'merge_pull_request',
  title: 'Merge a pull request',
  description: 'Merge a pull request into its base branch. It cannot be undone here.',
  toolset: 'pull_requests',
  input: z.object({
    owner,
    repo,
    pullNumber,
    commit_title: z.string().min(1).max(256).optional().describe('Title of the merge commit'),
    commit_message: bodyText.optional().describe('What else its message says'),
    merge_method: z.enum(['merge', 'squash', 'rebase']).optional().describe('Default: merge'),
    sha: commitSha.optional().describe('Merge only if this is still the head, so that nothing unseen comes along'),
  }),
  output: z.object({ merged: z.boolean(), sha: z.string(), message: z.string() }),
  annotations: replaces,
  async run(input, { api }) {
    const { data } = await api.rest.pulls.merge({
      owner: input.owner,
      repo: input.repo,
      pull_number: input.pullNumber,
      ...(input.commit_title !== undefined && { commit_title: input.commit_title }),
      ...(input.commit_message !== undefined && { commit_message: input.commit_message }),
      ...(input.merge_method !== undefined && { merge_method: input.merge_method }),
      ...(input.sha !== undefined && { sha: input.sha }),
    });
    return showStructured({ merged: data.merged, sha: data.sha, message: data.message });
  },
});

export const pullRequestWriteTools: readonly GithubTool[] = [createPullRequest, updatePullRequest, mergePullRequest];
