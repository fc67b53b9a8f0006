import { z } from 'zod';

interface Branch {
  ref: string;
  sha: string;
  repo: { full_name: string } | null;
}

export interface PullRequest {
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

const branchOutput = z.object({ ref: z.string(), sha: z.string(), repo: z.string().optional() });

/** What showPullRequest shows. */
export const pullRequestOutput = z.object({
  number: z.number(),
  title: z.string(),
  state: z.string(),
  draft: z.boolean().optional(),
  body: z.string().nullish(),
  html_url: z.string(),
  user: z.string().optional(),
  labels: z.array(z.string()),
  assignees: z.array(z.string()).optional(),
  requested_reviewers: z.array(z.string()).optional(),
  head: branchOutput,
  base: branchOutput,
  created_at: z.string(),
  updated_at: z.string(),
  closed_at: z.string().nullish(),
  merged_at: z.string().nullish(),
});

/** A pull request without what only programs need. */
export function showPullRequest(pull: PullRequest) {
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
