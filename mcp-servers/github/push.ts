import { z } from 'zod';
import { showError, showStructured } from '../tool/result.ts';
import { replaces } from '../tool/tool.ts';
import { branch, commitMessage, filePath, owner, repo } from './arguments.ts';
import { defineTool } from './tool.ts';
import type { GithubTool } from './tool.ts';

const pushFiles = defineTool({
  name: 'push_files',
  title: 'Push files in one commit',
  description:
    'Write several files as one commit on a branch that exists. Files of the same path are replaced as a whole; if the branch moves meanwhile, nothing is changed.',
  toolset: 'repos',
  input: z.object({
    owner,
    repo,
    branch: branch.describe('Branch to push to'),
    files: z
      .array(
        z.strictObject({
          path: filePath.regex(/^[^/](.*[^/])?$/s, 'must not begin or end with "/"').describe('Path of the file'),
          content: z
            .string()
            .max(1024 * 1024)
            .describe('The whole new content, as plain text'),
        }),
      )
      .min(1)
      .max(100)
      .describe('The files, each path once'),
    message: commitMessage,
  }),
  output: z.object({
    branch: z.string(),
    sha: z.string(),
    html_url: z.string(),
    parent: z.string(),
    files: z.number(),
  }),
  annotations: replaces,
  async run(input, { api }) {
    const paths = new Set(input.files.map(file => file.path));
    if (paths.size < input.files.length) return showError('files names a path twice: give each file once.');
    const { git } = api.rest;
    const where = { owner: input.owner, repo: input.repo };
    const { data: head } = await git.getRef({ ...where, ref: `heads/${input.branch}` });
    const parent = head.object.sha;
    const { data: base } = await git.getCommit({ ...where, commit_sha: parent });
    const { data: tree } = await git.createTree({
      ...where,
      base_tree: base.tree.sha,
      tree: input.files.map(({ path, content }) => ({ path, content, mode: '100644', type: 'blob' })),
    });
    const { data: commit } = await git.createCommit({
      ...where,
      message: input.message,
      tree: tree.sha,
      parents: [parent],
    });
    // Without force: GitHub refuses when the branch has moved since it was read.
    await git.updateRef({ ...where, ref: `heads/${input.branch}`, sha: commit.sha, force: false });
    const { sha, html_url } = commit;
    return showStructured({ branch: input.branch, sha, html_url, parent, files: input.files.length });
  },
});

export const pushTools: readonly GithubTool[] = [pushFiles];
