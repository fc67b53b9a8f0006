import { z } from 'zod';
import { showPage, showStructured } from '../tool/result.ts';
import { adds, reads } from '../tool/tool.ts';
import { branch, owner, page, perPage, repo } from './arguments.ts';
import { defineTool } from './tool.ts';
import type { GithubTool } from './tool.ts';

const listBranches = defineTool({
  name: 'list_branches',
  title: 'List branches',
  description: 'Branches of a repository, with the commit each points at.',
  toolset: 'repos',
  input: z.object({ owner, repo, page, perPage }),
  annotations: reads,
  async run(input, { api }) {
    const paging = { page: input.page, per_page: input.perPage };
    const { data, headers } = await api.rest.repos.listBranches({ owner: input.owner, repo: input.repo, ...paging });
    const branches = data.map(each => ({ name: each.name, sha: each.commit.sha, protected: each.protected }));
    return showPage(branches, paging, headers.link);
  },
});

const createBranch = defineTool({
  name: 'create_branch',
  title: 'Create a branch',
  description: 'A new branch that points at the same commit as another one.',
  toolset: 'repos',
  input: z.object({
    owner,
    repo,
    branch: branch.describe('Name of the new branch'),
    from_branch: branch.optional().describe('Branch to begin from; default: the default branch'),
  }),
  output: z.object({ branch: z.string(), sha: z.string(), from_branch: z.string() }),
  annotations: adds,
  async run(input, { api }) {
    const where = { owner: input.owner, repo: input.repo };
    const from = input.from_branch ?? (await api.rest.repos.get(where)).data.default_branch;
    const { data: start } = await api.rest.git.getRef({ ...where, ref: `heads/${from}` });
    const { data: made } = await api.rest.git.createRef({
      ...where,
      ref: `refs/heads/${input.branch}`,
      sha: start.object.sha,
    });
    return showStructured({ branch: input.branch, sha: made.object.sha, from_branch: from });
  },
});

export const branchTools: readonly GithubTool[] = [listBranches, createBranch];
