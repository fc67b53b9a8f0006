import { McpServer } from '@modelcontextprotocol/server';
import type { CallToolResult, ServerContext } from '@modelcontextprotocol/server';
import type { Octokit } from '@octokit/rest';
import { githubConfig } from '../../specs/type.ts';
import type { Program, ProgramContext } from '../host/program.ts';
import { Misconfigured } from '../host/program.ts';
import { noValidator } from '../host/sdk-shims.ts';
import { createClient } from './client.ts';
import { contextTools } from './context.ts';
import { explainFailure } from './errors.ts';
import { issueTools } from './issues.ts';
import { pullRequestTools } from './pull-requests.ts';
import { repositoryTools } from './repos.ts';
import { showError } from './result.ts';
import type { Tool } from './tool.ts';

/** One tool call, all its requests to GitHub together, ends after this. */
const callMs = 25_000;

const allTools: readonly Tool[] = [...contextTools, ...repositoryTools, ...issueTools, ...pullRequestTools];

/** GitHub's REST API as MCP tools, named like those of GitHub's own server. Throws Misconfigured. */
export function startGithub({ assignment }: ProgramContext): Program {
  const { token } = assignment.secrets;
  if (token === undefined) throw new Misconfigured('A github instance needs an api key with the value "token".');
  const { readOnly, toolsets, baseUrl } = githubConfig.parse(assignment.config);
  const tools = allTools.filter(tool => toolsets.includes(tool.toolset) && !(readOnly && changes(tool)));
  let client: Promise<Octokit> | null = null;
  const connect = () => (client ??= createClient({ token, baseUrl: baseUrl ?? assignment.upstreamUrl }));

  return {
    createServer() {
      const server = new McpServer(
        { name: 'github', version: '0.1.0' },
        { capabilities: { tools: { listChanged: false } }, jsonSchemaValidator: noValidator },
      );
      for (const tool of tools) {
        const { name, title, description, input, annotations } = tool;
        server.registerTool(name, { title, description, inputSchema: input, annotations }, (args, context) =>
          callTool(tool, args, connect, context),
        );
      }
      return server;
    },
    trouble: () => null,
    ended: new Promise(() => {}),
    stop: async () => {},
    kill: () => {},
  };
}

function changes(tool: Tool): boolean {
  return tool.annotations.readOnlyHint !== true;
}

async function callTool(
  tool: Tool,
  input: Record<string, unknown>,
  connect: () => Promise<Octokit>,
  { mcpReq }: ServerContext,
): Promise<CallToolResult> {
  const signal = AbortSignal.any([mcpReq.signal, AbortSignal.timeout(callMs)]);
  try {
    return await tool.run(input, { api: await connect(), signal });
  } catch (error) {
    return showError(explainFailure(signal.aborted ? signal.reason : error, Date.now()));
  }
}
