import { z } from 'zod';
import { showList, showObject, showPage } from '../tool/result.ts';
import { reads } from '../tool/tool.ts';
import { filePath, gitRef, owner, page, perPage, repo, time } from './arguments.ts';
import { defineTool } from './tool.ts';
import type { GithubTool } from './tool.ts';

interface Commit {
  sha: string;
  html_url: string;
  commit: { message: string; author: { name?: string; email?: string; date?: string } | null };
  author: object | null;
  parents: { sha: string }[];
}

function showCommit({ sha, html_url, commit, author, parents }: Commit): object {
  return {
    sha,
    html_url,
    message: commit.message,
    author: { ...commit.author, ...(author !== null && 'login' in author && { login: author.login }) },
    parents: parents.map(parent => parent.sha),
  };
}

const listCommits = defineTool({
  name: 'list_commits',
  title: 'List commits',
  description: 'Commits of a branch, newest first, perhaps only those of an author, a path or a time.',
  toolset: 'repos',
  input: z.object({
    owner,
    repo,
    sha: gitRef.optional().describe('Branch, tag or commit to begin with; default: the default branch'),
    author: z.string().min(1).max(254).optional().describe('Only of this author: user name or email address'),
    path: filePath.min(1).optional().describe('Only commits that change this file or directory'),
    since: time.optional().describe('Only commits after this time (ISO 8601)'),
    until: time.optional().describe('Only commits before this time (ISO 8601)'),
    page,
    perPage,
  }),
  annotations: reads,
  async run(input, { api }) {
    const { owner: of, repo: within, page: at, perPage: size, ...filters } = input;
    const { data, headers } = await api.rest.repos.listCommits({
      owner: of,
      repo: within,
      ...(filters.sha !== undefined && { sha: filters.sha }),
      ...(filters.author !== undefined && { author: filters.author }),
      ...(filters.path !== undefined && { path: filters.path }),
      ...(filters.since !== undefined && { since: filters.since }),
      ...(filters.until !== undefined && { until: filters.until }),
      page: at,
      per_page: size,
    });
    return showPage(data.map(showCommit), { page: at, per_page: size }, headers.link);
  },
});

const getCommit = defineTool({
  name: 'get_commit',
  title: 'Get commit details',
  description: 'One commit with the files it changes and, unless switched off, their diffs. Many files come in pages.',
  toolset: 'repos',
  input: z.object({
    owner,
    repo,
    sha: gitRef.describe('Commit, branch or tag'),
    include_diff: z.boolean().default(true).describe('With the diff of every file'),
    page,
    perPage,
  }),
  annotations: reads,
  async run(input, { api }) {
    const { data, headers } = await api.rest.repos.getCommit({
      owner: input.owner,
      repo: input.repo,
      ref: input.sha,
      page: input.page,
      per_page: input.perPage,
    });
    const files = (data.files ?? []).map(({ filename, status, additions, deletions, previous_filename, patch }) => ({
      filename,
      status,
      additions,
      deletions,
      previous_filename,
      ...(input.include_diff && { patch }),
    }));
    const about = showObject({ ...showCommit(data), stats: data.stats });
    const more = headers.link !== undefined && /rel="next"/.test(headers.link);
    const list = showList(files, { page: input.page, perPage: input.perPage, more });
    return { content: [...about.content, ...list.content] };
  },
});

export const commitTools: readonly GithubTool[] = [listCommits, getCommit];
