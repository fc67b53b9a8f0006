import { z } from 'zod';
import { showError, showList, showObject, showStructured, showText } from '../tool/result.ts';
import { reads, replaces } from '../tool/tool.ts';
import { branch, commitMessage, commitSha, filePath, gitRef, offset, owner, page, perPage, repo } from './arguments.ts';
import type { GithubApi } from './client.ts';
import { defineTool } from './tool.ts';
import type { GithubTool } from './tool.ts';

/** A file over this is not fetched: nobody reads ten megabytes a page at a time. */
const maxFileBytes = 10 * 1024 * 1024;

const trimSlashes = (path: string): string => path.replace(/^\/+|\/+$/g, '');

const getFileContents = defineTool({
  name: 'get_file_contents',
  title: 'Get file or directory contents',
  description:
    'The text of a file, in parts where it is long (go on with offset), or the entries of a directory, page by page.',
  toolset: 'repos',
  input: z.object({
    owner,
    repo,
    path: filePath.default('/').describe('Path of a file or a directory; "/" is the root'),
    ref: gitRef.optional().describe('Branch, tag or ref such as refs/pull/7/head; default: the default branch'),
    sha: gitRef.optional().describe('A commit, instead of ref'),
    offset,
    page,
    perPage: perPage.default(100),
  }),
  annotations: reads,
  async run(input, { api }) {
    const path = trimSlashes(input.path);
    const ref = input.sha ?? input.ref;
    const where = { owner: input.owner, repo: input.repo, path, ...(ref !== undefined && { ref }) };
    const { data } = await api.rest.repos.getContent(where);
    if (Array.isArray(data)) {
      const entries = data.map(entry => ({ type: entry.type, path: entry.path, size: entry.size, sha: entry.sha }));
      return showEntries(entries, input);
    }
    const about = { type: data.type, path: data.path, sha: data.sha, size: data.size, html_url: data.html_url };
    if (data.type !== 'file') return showObject(about);
    if (data.size > maxFileBytes) {
      return showError(`${data.path} has ${data.size} bytes, too many to read here: see ${data.html_url}`);
    }
    const bytes = data.encoding === 'base64' ? Buffer.from(data.content, 'base64') : await readRaw(api, where);
    if (bytes.includes(0)) return showObject({ ...about, note: 'A binary file: its content is not shown.' });
    return showText(about, bytes.toString('utf8'), input.offset);
  },
});

/** GitHub gives a directory as a whole, up to a thousand entries. */
function showEntries(entries: readonly object[], { page: at, perPage: size }: { page: number; perPage: number }) {
  const more = entries.length > at * size;
  return showList(entries.slice((at - 1) * size, at * size), { page: at, perPage: size, more, total: entries.length });
}

/** Over 1 MiB the content comes only in the raw media type. */
async function readRaw(api: GithubApi, where: { owner: string; repo: string; path: string; ref?: string }) {
  const { data } = await api.rest.repos.getContent({ ...where, mediaType: { format: 'raw' } });
  return Buffer.from(data as unknown as string);
}

const createOrUpdateFile = defineTool({
  name: 'create_or_update_file',
  title: 'Create or update a file',
  description:
    'Write one file, as a commit on a branch. To replace a file give its present blob sha, as get_file_contents shows it: so no change of others is lost.',
  toolset: 'repos',
  input: z.object({
    owner,
    repo,
    path: filePath.min(1).describe('Path of the file'),
    content: z
      .string()
      .max(1024 * 1024)
      .describe('The whole new content, as plain text'),
    message: commitMessage,
    branch: branch.describe('Branch to commit to'),
    sha: commitSha.optional().describe('Blob sha of the file as it is; only and always when it exists'),
  }),
  output: z.object({
    path: z.string(),
    sha: z.string().optional(),
    html_url: z.string().nullish(),
    commit: z.object({ sha: z.string().optional(), html_url: z.string().optional() }),
  }),
  annotations: replaces,
  async run(input, { api }) {
    const path = trimSlashes(input.path);
    if (path === '') return showError('path names no file: give one such as docs/guide.md.');
    const { data } = await api.rest.repos.createOrUpdateFileContents({
      owner: input.owner,
      repo: input.repo,
      path,
      message: input.message,
      content: Buffer.from(input.content, 'utf8').toString('base64'),
      branch: input.branch,
      ...(input.sha !== undefined && { sha: input.sha }),
    });
    return showStructured({
      path,
      sha: data.content?.sha,
      html_url: data.content?.html_url,
      commit: { sha: data.commit.sha, html_url: data.commit.html_url },
    });
  },
});

export const fileTools: readonly GithubTool[] = [getFileContents, createOrUpdateFile];
