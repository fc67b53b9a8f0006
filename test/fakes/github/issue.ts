import { urls, writtenAt } from './schema.ts';
import type { Issue, IssueComment, Label, SimpleUser } from './schema.ts';

const issueUrls = ['url', 'repository_url', 'labels_url', 'comments_url', 'events_url', 'html_url'] as const;

export function buildLabel(name: string): Label {
  const url = `https://github.test/labels/${name}`;
  return { id: 1, node_id: 'L_1', url, name, description: `About ${name}`, color: 'ff0000', default: false };
}

export function buildIssue(user: SimpleUser, number: number, title: string): Issue {
  return {
    id: number,
    node_id: `I_${number}`,
    number,
    state: 'open',
    state_reason: null,
    title,
    body: `Body of ${title}`,
    user,
    labels: [buildLabel(number % 2 === 0 ? 'even' : 'odd')],
    assignee: null,
    assignees: [],
    milestone: null,
    locked: false,
    comments: 0,
    closed_at: null,
    created_at: writtenAt,
    updated_at: writtenAt,
    ...urls(`https://github.test/issues/${number}`, issueUrls),
  };
}

export function buildComment(user: SimpleUser, id: number, body: string): IssueComment {
  return {
    id,
    node_id: `C_${id}`,
    body,
    user,
    created_at: writtenAt,
    updated_at: writtenAt,
    ...urls(`https://github.test/comments/${id}`, ['url', 'html_url', 'issue_url']),
  };
}
