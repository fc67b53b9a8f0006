import { z } from 'zod';

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

/** What showIssue shows. */
export const issueOutput = z.object({
  number: z.number(),
  title: z.string(),
  state: z.string(),
  state_reason: z.string().nullish(),
  body: z.string().nullish(),
  html_url: z.string(),
  user: z.string().nullish(),
  labels: z.array(z.string().nullish()),
  assignees: z.array(z.string()).nullish(),
  milestone: z.string().nullish(),
  comments: z.number(),
  created_at: z.string(),
  updated_at: z.string(),
  closed_at: z.string().nullish(),
});

/** An issue without what only programs need. */
export function showIssue(issue: Issue): z.input<typeof issueOutput> {
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
