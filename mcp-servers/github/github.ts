import type { Octokit } from '@octokit/rest';
import { githubConfig } from '../../specs/types/github.ts';
import type { Program, ProgramContext } from '../host/program.ts';
import { Misconfigured } from '../host/program.ts';
import { createToolProgram } from '../tool/program.ts';
import { changesNothing } from '../tool/tool.ts';
import { createClient } from './client.ts';
import { contextTools } from './context.ts';
import { explainFailure } from './errors.ts';
import { issueTools } from './issues.ts';
import { pullRequestTools } from './pull-requests.ts';
import { repositoryTools } from './repos.ts';
import type { GithubTool } from './tool.ts';

const allTools: readonly GithubTool[] = [...contextTools, ...repositoryTools, ...issueTools, ...pullRequestTools];

/** GitHub's REST API as MCP tools, named like those of GitHub's own server. Throws Misconfigured. */
export function startGithub({ assignment }: ProgramContext): Program {
  const { token } = assignment.secrets;
  if (token === undefined) throw new Misconfigured('A github instance needs an api key with the value "token".');
  const { readOnly, toolsets, baseUrl } = githubConfig.parse(assignment.config);
  let client: Promise<Octokit> | null = null;
  return createToolProgram<Octokit>({
    name: 'github',
    tools: allTools.filter(tool => toolsets.includes(tool.toolset) && (!readOnly || changesNothing(tool))),
    connect: () => (client ??= createClient({ token, baseUrl: baseUrl ?? assignment.upstreamUrl })),
    explain: error => explainFailure(error, Date.now()),
    callMs: 25_000,
  });
}
