import type { IncomingMessage, ServerResponse } from 'node:http';
import { createMcpHandler, isJsonContentType } from '@modelcontextprotocol/server';
import type { McpServer, Server, ServerNotifier } from '@modelcontextprotocol/server';
import type { Exchange, Exchanges } from './exchange.ts';
import { describeError } from './log.ts';
import type { Log } from './log.ts';
import { Unavailable } from './program.ts';
import type { Program } from './program.ts';
import { BodyTooLarge, readBody, readHead, writeJson, writeResponse } from './web.ts';
import type { RequestHead } from './web.ts';

const parseError = -32700;
const internalError = -32603;
const serverError = -32000;

export interface Mcp {
  /** Answers one authorised request to /mcp. Never throws. */
  serve(request: IncomingMessage, response: ServerResponse, tokenHash: string): Promise<void>;
  /** Sends a request of the host's own through the same handler. Null when it got a result, else why not. */
  ask(message: { method: string; params?: object }, revision: string | null): Promise<string | null>;
  /** A ping of its own, for a limited time. */
  probe(timeoutMs: number): Promise<string | null>;
  readonly notify: ServerNotifier;
}

interface McpRequest extends RequestHead {
  readonly exchange: Exchange | null;
}

/**
 * Both protocol eras on one URL, by the SDK's handler: a fresh server from the program for every request.
 * In place of the SDK's toNodeHandler, which would load undici and parse every body twice.
 */
export function createMcp(program: Promise<Program>, exchanges: Exchanges, log: Log): Mcp {
  const handler = createMcpHandler(
    async ({ era, requestInfo }) => {
      const { exchange } = requestInfo as unknown as McpRequest;
      try {
        const server = await (await program).createServer(era);
        if (exchange !== null) observe(server, message => exchanges.observe(exchange, message));
        return server;
      } catch (error) {
        if (exchange !== null && error instanceof Unavailable) exchange.unavailable = error.message;
        throw error;
      }
    },
    { onerror: error => log.debug(describeError(error), 'mcp') },
  );
  const fetch = (request: McpRequest, body: unknown) =>
    handler.fetch(request as unknown as Request, body === undefined ? {} : { parsedBody: body });

  return {
    notify: handler.notify,
    async serve(request, response, tokenHash) {
      let exchange: Exchange | null = null;
      try {
        const body = await readJson(request);
        exchange = exchanges.open(body, tokenHash);
        const { abort } = exchange;
        response.once('close', () => abort.abort());
        const answer = await fetch({ ...readHead(request, abort.signal), exchange }, body);
        if (exchange.unavailable !== null) return writeUnavailable(response, exchange, exchange.unavailable);
        await writeResponse(response, answer, abort.signal);
      } catch (error) {
        writeFailure(response, error, log);
      } finally {
        if (exchange !== null) exchanges.close(exchange, response.statusCode);
      }
    },
    ask: (message, revision) => ask(fetch, message, revision, new AbortController().signal),
    async probe(timeoutMs) {
      const signal = AbortSignal.timeout(timeoutMs);
      const late = new Promise<string>(resolve => {
        signal.addEventListener('abort', () => resolve(`no answer to a ping within ${timeoutMs} ms`), { once: true });
      });
      return Promise.race([late, ask(fetch, { method: 'ping' }, null, signal)]);
    },
  };
}

/** Null when the request got a result, else why not. */
async function ask(
  fetch: (request: McpRequest, body: unknown) => Promise<Response>,
  message: { readonly method: string; readonly params?: object },
  revision: string | null,
  signal: AbortSignal,
): Promise<string | null> {
  const headers = new Map([
    ['content-type', 'application/json'],
    ['accept', 'application/json, text/event-stream'],
    ...(revision === null
      ? []
      : ([
          ['mcp-protocol-version', revision],
          ['mcp-method', message.method],
        ] as const)),
  ]);
  const request = {
    method: 'POST',
    headers: { get: (name: string) => headers.get(name) ?? null },
    signal,
    exchange: null,
  };
  try {
    const answer = await fetch(request, { jsonrpc: '2.0', id: 1, ...message });
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of (answer.body ?? []) as AsyncIterable<Uint8Array>) {
      text += decoder.decode(chunk, { stream: true });
    }
    if (text.includes('"result"')) return null;
    return /"message":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? `answered with status ${answer.status}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The body as JSON; undefined where the handler has to look at the request without one. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  if (request.method !== 'POST' || !isJsonContentType(request.headers['content-type'] ?? null)) {
    request.resume();
    return undefined;
  }
  return JSON.parse(await readBody(request)) as unknown;
}

/** Sees what the server sends in this exchange, whatever era and transport it gets. */
function observe(server: McpServer | Server, onSend: (message: Parameters<Exchanges['observe']>[1]) => void): void {
  const connect = server.connect.bind(server);
  server.connect = transport => {
    const send = transport.send.bind(transport);
    transport.send = (message, options) => {
      onSend(message);
      return send(message, options);
    };
    return connect(transport);
  };
}

function writeUnavailable(response: ServerResponse, exchange: Exchange, message: string): void {
  const answers = exchange.calls.map(({ id }) => rpcError(id, internalError, message));
  if (answers.length === 0) response.writeHead(202).end();
  else writeJson(response, 200, answers.length === 1 ? answers[0]! : answers);
}

function writeFailure(response: ServerResponse, error: unknown, log: Log): void {
  if (error instanceof SyntaxError) {
    writeJson(response, 400, rpcError(null, parseError, 'Parse error: Invalid JSON'));
  } else if (error instanceof BodyTooLarge) {
    // The connection stays: closed under a client that still writes, it would lose this answer.
    writeJson(response, 413, rpcError(null, serverError, 'Payload Too Large'));
  } else if (!response.destroyed) {
    log.error(describeError(error), 'mcp request failed');
    writeJson(response, 500, rpcError(null, internalError, 'Internal server error'));
  }
}

function rpcError(id: string | number | null, code: number, message: string): object {
  return { jsonrpc: '2.0', error: { code, message }, id };
}
