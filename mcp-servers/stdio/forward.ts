import type { StandardSchemaV1 } from '@modelcontextprotocol/client';
import { ProtocolError, Server } from '@modelcontextprotocol/server';
import type {
  JSONRPCRequest,
  ProtocolEra,
  Result,
  ServerCapabilities,
  ServerContext,
} from '@modelcontextprotocol/server';
import { noValidator } from '../host/sdk-shims.ts';
import type { Upstream } from './upstream.ts';

/** The requests that wait for the child at the moment: what it logs meanwhile goes to all of them. */
export type Waiting = Set<ServerContext>;

export interface Forwarding {
  readonly upstream: Upstream;
  readonly waiting: Waiting;
  /** Why the child cannot answer any more; null while it lives. */
  ended(): string | null;
}

/** The client decides how long a call may take; this is only setTimeout's longest. */
const noTimeoutMs = 2 ** 31 - 1;
const methodNotFound = -32601;
const internalError = -32603;

/** Takes any result as it is. */
const anyResult: StandardSchemaV1<unknown, Result> = {
  '~standard': { version: 1, vendor: 'minimcp', validate: value => ({ value: value as Result }) },
};

/** A server for one exchange that hands every request on to the child. */
export function createForwarder(forwarding: Forwarding, era: ProtocolEra): Server {
  const { upstream } = forwarding;
  const server = new Server(upstream.info, {
    capabilities: offerCapabilities(upstream.capabilities, era),
    ...(upstream.instructions !== undefined && { instructions: upstream.instructions }),
    jsonSchemaValidator: noValidator,
  });
  server.fallbackRequestHandler = (request, context) => forward(forwarding, request, context);
  server.setRequestHandler('ping', async (request, context) => {
    // The new revision has no ping; there, every server answers this.
    const method = upstream.client.getProtocolEra() === 'modern' ? 'server/discover' : request.method;
    try {
      await forward(forwarding, { method }, context);
    } catch (error) {
      // A server that does not know ping is alive enough to say so.
      if (!(error instanceof ProtocolError) || error.code !== methodNotFound) throw error;
    }
    return {};
  });
  if (upstream.capabilities.logging !== undefined) {
    server.setRequestHandler('logging/setLevel', (request, context) => forward(forwarding, request, context));
  }
  return server;
}

/**
 * What the child offers, less what cannot be delivered: without a session nothing can be pushed to a legacy
 * client, and nobody can subscribe to a single resource.
 */
function offerCapabilities(offered: ServerCapabilities, era: ProtocolEra): ServerCapabilities {
  const { tools, prompts, resources, logging, completions } = offered;
  const push = <T extends { listChanged?: boolean | undefined }>(capability: T) => ({
    ...capability,
    listChanged: era === 'modern' && capability.listChanged === true,
  });
  return {
    ...(tools && { tools: push(tools) }),
    ...(prompts && { prompts: push(prompts) }),
    ...(resources && { resources: { ...push(resources), subscribe: false } }),
    ...(logging && { logging }),
    ...(completions && { completions }),
  };
}

async function forward(
  forwarding: Forwarding,
  request: Pick<JSONRPCRequest, 'method' | 'params'>,
  context: ServerContext,
): Promise<Result> {
  const { upstream, waiting, ended } = forwarding;
  const { _meta: { progressToken } = {} } = context.mcpReq;
  let progressSent = Promise.resolve();
  const onprogress = (progress: object) => {
    const notification = { method: 'notifications/progress', params: { ...progress, progressToken } };
    const sending = context.mcpReq.notify(notification as never).catch(() => {});
    progressSent = progressSent.then(() => sending);
  };
  waiting.add(context);
  try {
    const result = await upstream.client.request(
      { method: request.method, ...(request.params !== undefined && { params: request.params }) },
      anyResult,
      {
        signal: context.mcpReq.signal,
        timeout: noTimeoutMs,
        ...(progressToken !== undefined && { onprogress }),
      },
    );
    await progressSent;
    return result;
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    throw new ProtocolError(internalError, ended() ?? (error instanceof Error ? error.message : String(error)));
  } finally {
    waiting.delete(context);
  }
}
