import type { StandardSchemaV1 } from '@modelcontextprotocol/client';
import {
  isInputRequiredResult,
  LOG_LEVEL_META_KEY,
  ProtocolError,
  SdkError,
  SdkErrorCode,
  Server,
} from '@modelcontextprotocol/server';
import type {
  JSONRPCRequest,
  LoggingLevel,
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
  /** Shared by the legacy clients of a child that takes the level with each request. */
  readonly logging: { level: LoggingLevel | null };
  /** Why the child cannot answer any more; null while it lives. */
  ended(): string | null;
}

/** The client decides how long a call may take; this is only setTimeout's longest. */
const noTimeoutMs = 2 ** 31 - 1;
const methodNotFound = -32601;
const internalError = -32603;
const cannotAsk =
  'The server asks for input, which a client without a session cannot give. Use a client of 2026-07-28, or set spec.config.isolation to "session".';

type Request = Pick<JSONRPCRequest, 'method' | 'params'>;

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
  const pass = (request: Request, context: ServerContext) => forward(forwarding, era, request, context);
  const childIsModern = upstream.client.getProtocolEra() === 'modern';
  server.fallbackRequestHandler = pass;
  server.setRequestHandler('ping', async (request, context) => {
    // The new revision has no ping; there, every server answers this.
    const method = childIsModern ? 'server/discover' : request.method;
    try {
      await pass({ method }, context);
    } catch (error) {
      // A server that does not know ping is alive enough to say so.
      if (!(error instanceof ProtocolError) || error.code !== methodNotFound) throw error;
    }
    return {};
  });
  if (upstream.capabilities.logging !== undefined) {
    server.setRequestHandler('logging/setLevel', (request, context) => {
      if (!childIsModern) return pass(request, context);
      forwarding.logging.level = request.params.level;
      return {};
    });
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
  era: ProtocolEra,
  request: Request,
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
    const params = { ...request.params, ...wireParams(forwarding, era, request, context) };
    const result = await upstream.client.request(
      { method: request.method, ...(Object.keys(params).length > 0 && { params }) },
      anyResult,
      {
        signal: context.mcpReq.signal,
        timeout: noTimeoutMs,
        // What the child asks is for the client to answer, in its next request.
        allowInputRequired: true,
        ...(progressToken !== undefined && { onprogress }),
      },
    );
    await progressSent;
    if (era === 'legacy' && isInputRequiredResult(result)) throw new ProtocolError(internalError, cannotAsk);
    return result;
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    if (error instanceof SdkError && error.code === SdkErrorCode.MethodNotSupportedByProtocolVersion) {
      throw new ProtocolError(methodNotFound, `The server does not know ${request.method}.`);
    }
    throw new ProtocolError(internalError, ended() ?? (error instanceof Error ? error.message : String(error)));
  } finally {
    waiting.delete(context);
  }
}

/**
 * What the SDK has taken out of the request for itself, and the child needs: who the client is and what it can do,
 * and its answers to what the child had asked.
 */
function wireParams(
  { upstream, logging }: Forwarding,
  era: ProtocolEra,
  { params }: Request,
  { mcpReq }: ServerContext,
): Record<string, unknown> {
  if (upstream.client.getProtocolEra() !== 'modern') return {};
  const { _meta: meta } = params ?? {};
  const { envelope, inputResponses } = mcpReq;
  const state = mcpReq.requestState();
  const level = era === 'legacy' && logging.level !== null ? { [LOG_LEVEL_META_KEY]: logging.level } : {};
  return {
    _meta: { ...meta, ...envelope, ...level },
    ...(inputResponses !== undefined && { inputResponses }),
    ...(state !== undefined && { requestState: state }),
  };
}
