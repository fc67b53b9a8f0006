import { z } from 'zod';
import { showError, showList } from '../tool/result.ts';
import { reads } from '../tool/tool.ts';
import { owner, page, perPage, repo, searchQuery } from './arguments.ts';
import { showIssue } from './issue.ts';
import { defineTool } from './tool.ts';
import type { GithubTool } from './tool.ts';

/** GitHub serves no more than the first thousand hits. */
const maxHits = 1000;

const order = z.enum(['asc', 'desc']).optional().describe('Sort order; default: desc');

function showHits(items: readonly object[], input: { page: number; perPage: number }, total: number) {
  const more = input.page * input.perPage < Math.min(total, maxHits);
  return showList(items, { page: input.page, perPage: input.perPage, more, total });
}

/** The arguments of every search, as the REST API calls them. */
function searchFor(q: string, input: { page: number; perPage: number; order?: 'asc' | 'desc' | undefined }) {
  return { q, ...(input.order && { order: input.order }), page: input.page, per_page: input.perPage };
}

const searchRepositories = defineTool({
  name: 'search_repositories',
  title: 'Search repositories',
  description: 'Find repositories by name, description, readme, topics or other metadata, all over GitHub.',
  toolset: 'repos',
  input: z.object({
    query: searchQuery.describe(
      "GitHub's search syntax, for example 'machine learning in:name stars:>1000 language:python' or 'user:facebook'",
    ),
    sort: z.enum(['stars', 'forks', 'help-wanted-issues', 'updated']).optional().describe('Default: best match'),
    order,
    page,
    perPage,
  }),
  annotations: reads,
  async run(input, { api }) {
    const { data } = await api.rest.search.repos({
      ...searchFor(input.query, input),
      ...(input.sort && { sort: input.sort }),
    });
    const items = data.items.map(found => ({
      full_name: found.full_name,
      description: found.description,
      html_url: found.html_url,
      language: found.language,
      stargazers_count: found.stargazers_count,
      forks_count: found.forks_count,
      open_issues_count: found.open_issues_count,
      topics: found.topics,
      private: found.private,
      fork: found.fork,
      archived: found.archived,
      default_branch: found.default_branch,
      updated_at: found.updated_at,
    }));
    return showHits(items, input, data.total_count);
  },
});

const searchCode = defineTool({
  name: 'search_code',
  title: 'Search code',
  description:
    'Find files by their content, with the lines that match. Only default branches, and files under 384 kB, are searched. GitHub allows about ten of these a minute.',
  toolset: 'repos',
  input: z.object({
    query: searchQuery.describe(
      "GitHub's code search syntax, for example 'addClass repo:jquery/jquery language:js path:src'",
    ),
    page,
    perPage,
  }),
  annotations: reads,
  async run(input, { api }) {
    const { data } = await api.rest.search.code({
      ...searchFor(input.query, input),
      headers: { accept: 'application/vnd.github.text-match+json' },
    });
    const items = data.items.map(found => ({
      repository: found.repository.full_name,
      path: found.path,
      sha: found.sha,
      html_url: found.html_url,
      fragments: found.text_matches?.map(match => match.fragment),
    }));
    return showHits(items, input, data.total_count);
  },
});

const issueSorts = ['comments', 'reactions', 'interactions', 'created', 'updated'] as const;

const issueSearchInput = {
  owner: owner.optional().describe('Only in repositories of this user or organization'),
  repo: repo.optional().describe('Only in this repository; needs owner'),
  sort: z.enum(issueSorts).optional().describe('Default: best match'),
  order,
  page,
  perPage,
};

/** Issues and pull requests are one index, told apart by a qualifier. */
function defineIssueSearch(
  kind: 'issue' | 'pr',
  named: Pick<GithubTool, 'name' | 'title' | 'description' | 'toolset'>,
) {
  return defineTool({
    ...named,
    input: z.object({
      query: searchQuery.describe("GitHub's search syntax, for example 'is:open label:bug author:octocat crash'"),
      ...issueSearchInput,
    }),
    annotations: reads,
    async run(input, { api }) {
      if (input.repo !== undefined && input.owner === undefined) return showError('repo needs owner: give both.');
      const scope =
        input.owner === undefined
          ? ''
          : input.repo === undefined
            ? ` user:${input.owner}`
            : ` repo:${input.owner}/${input.repo}`;
      const { data } = await api.rest.search.issuesAndPullRequests({
        ...searchFor(`${input.query} is:${kind}${scope}`, input),
        ...(input.sort && { sort: input.sort }),
      });
      const items = data.items.map(found => ({
        repository: found.repository_url.split('/').slice(-2).join('/'),
        ...showIssue(found),
      }));
      return showHits(items, input, data.total_count);
    },
  });
}

const searchIssues = defineIssueSearch('issue', {
  name: 'search_issues',
  title: 'Search issues',
  description: 'Find issues by words and qualifiers, in one repository or all over GitHub. Pull requests are left out.',
  toolset: 'issues',
});

const searchPullRequests = defineIssueSearch('pr', {
  name: 'search_pull_requests',
  title: 'Search pull requests',
  description: 'Find pull requests by words and qualifiers, in one repository or all over GitHub.',
  toolset: 'pull_requests',
});

const searchUsers = defineTool({
  name: 'search_users',
  title: 'Search users',
  description: 'Find users and organizations by name, location, language or other metadata.',
  toolset: 'users',
  input: z.object({
    query: searchQuery.describe(
      "GitHub's search syntax, for example 'tom location:Iceland repos:>10' or 'type:org acme'",
    ),
    sort: z.enum(['followers', 'repositories', 'joined']).optional().describe('Default: best match'),
    order,
    page,
    perPage,
  }),
  annotations: reads,
  async run(input, { api }) {
    const { data } = await api.rest.search.users({
      ...searchFor(input.query, input),
      ...(input.sort && { sort: input.sort }),
    });
    const items = data.items.map(({ login, id, type, name, html_url }) => ({ login, id, type, name, html_url }));
    return showHits(items, input, data.total_count);
  },
});

export const searchTools: readonly GithubTool[] = [
  searchRepositories,
  searchCode,
  searchIssues,
  searchPullRequests,
  searchUsers,
];
