import { z } from 'zod';
import { showError, showStructured } from '../tool/result.ts';
import { adds } from '../tool/tool.ts';
import { bodyText, issueNumber, labelNames, owner, repo, userName } from './arguments.ts';
import type { GithubApi } from './client.ts';
import { commentOutput, showComment } from './comment.ts';
import { issueOutput, showIssue } from './issue.ts';
import { defineTool } from './tool.ts';
import type { GithubTool } from './tool.ts';

const writeInput = z.object({
  method: z.enum(['create', 'update']).describe('create: a new issue, needs title; update: needs issue_number'),
  owner,
  repo,
  issue_number: issueNumber.optional().describe('Number of the issue; with update only'),
  title: z.string().min(1).max(256).optional().describe('Title'),
  body: bodyText.optional().describe('Body, in Markdown'),
  assignees: z.array(userName).max(10).optional().describe('User names; replaces those it has'),
  labels: labelNames.optional().describe('Label names; replaces those it has'),
  milestone: z.int().min(1).max(2_147_483_647).optional().describe('Number of a milestone'),
  state: z.enum(['open', 'closed']).optional().describe('New state; with update only'),
  state_reason: z.enum(['completed', 'not_planned', 'duplicate']).optional().describe('Why it is closed'),
});

const issueWrite = defineTool({
  name: 'issue_write',
  title: 'Create or update an issue',
  description: 'Create a new issue in a repository, or change one.',
  toolset: 'issues',
  input: writeInput,
  output: issueOutput,
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  run: (input, { api }) => (input.method === 'create' ? createIssue(input, api) : updateIssue(input, api)),
});

async function createIssue(input: z.output<typeof writeInput>, api: GithubApi) {
  if (input.issue_number !== undefined || input.state !== undefined || input.state_reason !== undefined) {
    return showError('issue_number, state and state_reason go with method "update": a new issue is open.');
  }
  if (input.title === undefined) return showError('issue_write with method "create" needs a title.');
  const { data } = await api.rest.issues.create({
    owner: input.owner,
    repo: input.repo,
    title: input.title,
    ...changed(input),
  });
  return showStructured(showIssue(data));
}

async function updateIssue(input: z.output<typeof writeInput>, api: GithubApi) {
  if (input.issue_number === undefined) return showError('issue_write with method "update" needs an issue_number.');
  if (input.state_reason !== undefined && input.state !== 'closed') {
    return showError('state_reason goes with state "closed".');
  }
  const { data } = await api.rest.issues.update({
    owner: input.owner,
    repo: input.repo,
    issue_number: input.issue_number,
    ...(input.title !== undefined && { title: input.title }),
    ...(input.state !== undefined && { state: input.state }),
    ...(input.state_reason !== undefined && { state_reason: input.state_reason }),
    ...changed(input),
  });
  return showStructured(showIssue(data));
}

function changed({ body, assignees, labels, milestone }: z.output<typeof writeInput>) {
  return {
    ...(body !== undefined && { body }),
    ...(assignees !== undefined && { assignees }),
    ...(labels !== undefined && { labels }),
    ...(milestone !== undefined && { milestone }),
  };
}

const addIssueComment = defineTool({
  name: 'add_issue_comment',
  title: 'Add a comment to an issue or pull request',
  description: 'Write a comment into the conversation of an issue or, by its number, of a pull request.',
  toolset: 'issues',
  input: z.object({
    owner,
    repo,
    issue_number: issueNumber.describe('Number of the issue or pull request'),
    body: bodyText.min(1).describe('The comment, in Markdown'),
  }),
  output: commentOutput,
  annotations: adds,
  async run(input, { api }) {
    const { data } = await api.rest.issues.createComment({
      owner: input.owner,
      repo: input.repo,
      issue_number: input.issue_number,
      body: input.body,
    });
    return showStructured(showComment(data));
  },
});

export const issueWriteTools: readonly GithubTool[] = [issueWrite, addIssueComment];
