import { McpServer } from '@modelcontextprotocol/server';
import type { CallToolResult, ServerContext } from '@modelcontextprotocol/server';
import type { Program } from '../host/program.ts';
import { noValidator } from '../host/sdk-shims.ts';
import { showError } from './result.ts';
import type { Tool } from './tool.ts';

export interface Toolbox<Api> {
  /** The server's name to its clients. */
  readonly name: string;
  /** For the model, once per connection: what the tools have in common. */
  readonly instructions?: string;
  readonly tools: readonly Tool<Api>[];
  /**
   * The way to the vendor, for one call. What is expensive about it is made once, at the first call. The signal
   * is the one that the call gets: a way made for one call alone may put it into every request.
   */
  connect(signal: AbortSignal): Promise<Api>;
  /** A sentence for the model or the person behind it: what went wrong and what to do next. Never throws. */
  explain(error: unknown): string;
  /** Takes the api key's values out of a text; done here to all that is an error. */
  conceal(text: string): string;
  /** Added to the `_meta` of a result, also of one that is an error: the vendor's limits, for instance. */
  remark?(api: Api): Record<string, unknown> | undefined;
  /** A sentence for the model under a result that is no error: a limit is nearly used up, for instance. */
  notice?(api: Api): string | undefined;
  /** One tool call, all its requests to the vendor together, ends after this. */
  readonly callMs: number;
}

/** A server type that is only code: a list of tools over a vendor's API. */
export function createToolProgram<Api>(toolbox: Toolbox<Api>): Program {
  const strict = toolbox.tools.map(tool => ({ tool, input: tool.input.strict() }));
  return {
    createServer() {
      const server = new McpServer(
        { name: toolbox.name, version: '0.1.0' },
        {
          capabilities: { tools: { listChanged: false } },
          ...(toolbox.instructions !== undefined && { instructions: toolbox.instructions }),
          jsonSchemaValidator: noValidator,
        },
      );
      for (const { tool, input } of strict) {
        const { name, title, description, output, annotations } = tool;
        const about = { title, description, inputSchema: input, annotations };
        server.registerTool(name, { ...about, ...(output && { outputSchema: output }) }, (args, context) =>
          callTool(toolbox, tool, args, context),
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

async function callTool<Api>(
  toolbox: Toolbox<Api>,
  tool: Tool<Api>,
  input: Record<string, unknown>,
  { mcpReq }: ServerContext,
): Promise<CallToolResult> {
  const signal = AbortSignal.any([mcpReq.signal, AbortSignal.timeout(toolbox.callMs)]);
  let api: Api | null = null;
  let result: CallToolResult;
  try {
    api = await toolbox.connect(signal);
    result = await tool.run(input, { api, signal });
    const notice = result.isError === true ? undefined : toolbox.notice?.(api);
    if (notice !== undefined) result = { ...result, content: [...result.content, { type: 'text', text: notice }] };
  } catch (error) {
    result = showError(toolbox.explain(signal.aborted ? signal.reason : error));
  }
  if (result.isError === true) result = concealTexts(result, toolbox);
  const remark = api === null ? undefined : toolbox.remark?.(api);
  const { _meta: meta } = result;
  return remark === undefined ? result : { ...result, _meta: { ...meta, ...remark } };
}

/** Vendors repeat in their refusals what they were sent. */
function concealTexts(result: CallToolResult, { conceal }: Pick<Toolbox<unknown>, 'conceal'>): CallToolResult {
  const content = result.content.map(part => (part.type === 'text' ? { ...part, text: conceal(part.text) } : part));
  return { ...result, content };
}
