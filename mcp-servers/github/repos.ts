import { z } from 'zod';
import { showError, showList, showObject, showText } from '../tool/result.ts';
import { defineTool, offset, owner, page, perPage, repo } from './tool.ts';
import { reads } from '../tool/tool.ts';
import type { GithubTool } from './tool.ts';

/** A file over this is not fetched: nobody reads ten megabytes a page at a time. */
const maxFileBytes = 10 * 1024 * 1024;

const searchRepositories = defineTool({
  name: 'search_repositories',
  title: 'Search repositories',
  description: 'Find repositories by name, description, readme, topics or other metadata, all over GitHub.',
  toolset: 'repos',
  input: z.object({
    query: z
      .string()
      .min(1)
      .max(256)
      .describe(
        "GitHub's search syntax, for example 'machine learning in:name stars:>1000 language:python' or 'user:facebook'",
      ),
    sort: z.enum(['stars', 'forks', 'help-wanted-issues', 'updated']).optional().describe('Default: best match'),
    order: z.enum(['asc', 'desc']).optional().describe('Sort order'),
    page,
    perPage,
  }),
  annotations: reads,
  async run({ query, sort, order, page: at, perPage: size }, { api, signal }) {
    const { data } = await api.rest.search.repos({
      q: query,
      ...(sort && { sort }),
      ...(order && { order }),
      page: at,
      per_page: size,
      request: { signal },
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
    // GitHub serves no more than the first thousand hits.
    const more = at * size < Math.min(data.total_count, 1000);
    return showList(items, { page: at, perPage: size, more, total: data.total_count });
  },
});

const getFileContents = defineTool({
  name: 'get_file_contents',
  title: 'Get file or directory contents',
  description: 'The text of a file, or the entries of a directory. A long text comes in parts: go on with offset.',
  toolset: 'repos',
  input: z.object({
    owner,
    repo,
    path: z
      .string()
      .max(4096)
      .regex(/^(?!(.*\/)?\.{1,2}(\/|$))/, 'must not contain "." or ".." as a segment')
      .default('/')
      .describe('Path of a file or a directory; "/" is the root'),
    ref: z
      .string()
      .max(256)
      .optional()
      .describe('Branch, tag or ref such as refs/pull/7/head; default: the default branch'),
    sha: z.string().max(64).optional().describe('A commit, instead of ref'),
    offset,
  }),
  annotations: reads,
  async run(input, { api, signal }) {
    const path = input.path.replace(/^\/+|\/+$/g, '');
    const ref = input.sha ?? input.ref;
    const where = {
      owner: input.owner,
      repo: input.repo,
      path,
      ...(ref !== undefined && { ref }),
      request: { signal },
    };
    const { data } = await api.rest.repos.getContent(where);
    if (Array.isArray(data)) {
      const entries = data.map(entry => ({ type: entry.type, path: entry.path, size: entry.size, sha: entry.sha }));
      return showList(entries, { page: 1, perPage: entries.length, more: false });
    }
    const about = { type: data.type, path: data.path, sha: data.sha, size: data.size, html_url: data.html_url };
    if (data.type !== 'file') return showObject(about);
    if (data.size > maxFileBytes)
      return showError(`${data.path} has ${data.size} bytes, too many to read here: see ${data.html_url}`);
    const bytes = data.encoding === 'base64' ? Buffer.from(data.content, 'base64') : await getRaw();
    if (bytes.includes(0)) return showObject({ ...about, note: 'A binary file: its content is not shown.' });
    return showText(about, bytes.toString('utf8'), input.offset);

    /** Over 1 MiB the content comes only in the raw media type. */
    async function getRaw(): Promise<Buffer> {
      const raw = await api.rest.repos.getContent({ ...where, mediaType: { format: 'raw' } });
      return Buffer.from(raw.data as unknown as string);
    }
  },
});

export const repositoryTools: readonly GithubTool[] = [searchRepositories, getFileContents];
