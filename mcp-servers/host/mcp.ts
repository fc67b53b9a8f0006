import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createMcpHandler, isJsonContentType, isLegacyRequest } from '@modelcontextprotocol/server';
import type { JSONRPCMessage, McpServer, Server, ServerNotifier } from '@modelcontextprotocol/server';
import type { Exchange, Exchanges } from './exchange.ts';
import { describeError } from './log.ts';
import type { Log } from './log.ts';
import { Unavailable } from './program.ts';
import type { Program } from './program.ts';
import { BodyTooLarge, readBody, readHead, writeJson, writeResponse } from './web.ts';
import type { RequestHead } from './web.ts';

const clientHeader = 'mcp-session-id';
const parseError = -32700;
const methodNotFound = -32601;
const internalError = -32603;
const serverError = -32000;

export interface Mcp {
  /** Answers one authorised request to /mcp. Never throws. */
  serve(request: IncomingMessage, response: ServerResponse, tokenHash: string): Promise<void>;
  /** Sends a request of the host's own through the same handler. Null when it got a result, else why not. */
  ask(message: { method: string; params?: object }, revision: string | null): Promise<string | null>;
  /** The same, and the whole answer as text; rejects when that is longer than the limit. */
  request(message: { method: string; params?: object }, limitBytes: number, signal: AbortSignal): Promise<string>;
  /** A ping of its own, for a limited time. */
  probe(timeoutMs: number): Promise<string | null>;
  readonly notify: ServerNotifier;
}

interface McpRequest extends RequestHead {
  readonly exchange: Exchange | null;
  /** Set when a modern request was for a method that nobody behind this host knows. */
  unknownMethod?: boolean;
}

/**
 * Both protocol eras on one URL, by the SDK's handler: a fresh server from the program for every request.
 * In place of the SDK's toNodeHandler, which would load undici and parse every body twice.
 */
export function createMcp(program: Promise<Program>, exchanges: Exchanges, log: Log): Mcp {
  const handler = createMcpHandler(
    async ({ era, requestInfo }) => {
      const asked = requestInfo as unknown as McpRequest;
      const { exchange } = asked;
      try {
        const server = await (await program).createServer(era);
        observe(server, message => {
          if (exchange !== null) exchanges.observe(exchange, message);
          asked.unknownMethod = era === 'modern' && 'error' in message && message.error.code === methodNotFound;
        });
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
        const client = request.headers[clientHeader]?.toString() ?? null;
        const opened = exchanges.open(body, { tokenHash, client }, request.method === 'GET');
        exchange = opened;
        const { signal } = opened.abort;
        response.once('close', () => opened.abort.abort());
        const asked: McpRequest = { ...readHead(request, signal), exchange };
        const answered = (message: JSONRPCMessage) => exchanges.observe(opened, message);
        const serveLegacy = await findSessions(program, asked, body);
        if ((await serveLegacy?.({ request, response, body, answered, signal })) === true) return;
        exchanges.cancel(body, client);
        // No session: nothing is kept, and any id is as good as none. But by it a client's requests are known as its own.
        if (opened.calls[0]?.method === 'initialize') response.setHeader(clientHeader, randomUUID());
        const answer = await fetch(asked, body);
        const isStream = answer.headers.get('content-type') === 'text/event-stream';
        // The handler has nothing to say to a client that it takes to be gone.
        const stopped = signal.aborted && !isStream && !response.destroyed ? (signal.reason as Error).message : null;
        const problem = opened.unavailable ?? stopped;
        if (problem !== null) return writeUnavailable(response, opened, problem);
        const status = asked.unknownMethod === true ? 404 : answer.status;
        await writeResponse(response, answer, signal, status, () => (isStream ? answerRest(opened, answered) : ''));
      } catch (error) {
        writeFailure(response, error, log);
      } finally {
        if (exchange !== null) exchanges.close(exchange, response.statusCode);
      }
    },
    ask: (message, revision) => ask(fetch, message, revision, new AbortController().signal),
    request: async (message, limitBytes, signal) => (await post(fetch, message, null, signal, limitBytes)).text,
    async probe(timeoutMs) {
      const signal = AbortSignal.timeout(timeoutMs);
      const late = new Promise<string>(resolve => {
        signal.addEventListener('abort', () => resolve(`no answer to a ping within ${timeoutMs} ms`), { once: true });
      });
      return Promise.race([late, ask(fetch, { method: 'ping' }, null, signal)]);
    },
  };
}

type Fetch = (request: McpRequest, body: unknown) => Promise<Response>;

/** What serves a legacy request in sessions; null for all others, and where the program keeps none. */
async function findSessions(
  program: Promise<Program>,
  request: RequestHead,
  body: unknown,
): Promise<NonNullable<Program['serveLegacy']> | null> {
  // What is no JSON, and a program that failed to start, the handler answers as for everyone.
  if (request.method === 'POST' && body === undefined) return null;
  const { serveLegacy } = await program.catch(() => ({ serveLegacy: undefined }));
  if (serveLegacy === undefined) return null;
  return (await isLegacyRequest(request as unknown as Request, body)) ? serveLegacy : null;
}

/** Null when the request got a result, else why not. */
async function ask(
  fetch: Fetch,
  message: { readonly method: string; readonly params?: object },
  revision: string | null,
  signal: AbortSignal,
): Promise<string | null> {
  try {
    const { text, status } = await post(fetch, message, revision, signal, Infinity);
    if (text.includes('"result"')) return null;
    return /"message":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? `answered with status ${status}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Sends a request of the host's own through the handler. Rejects when the answer is longer than the limit. */
async function post(
  fetch: Fetch,
  message: { readonly method: string; readonly params?: object },
  revision: string | null,
  signal: AbortSignal,
  limitBytes: number,
): Promise<{ text: string; status: number }> {
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
  const head = {
    method: 'POST',
    headers: { get: (name: string) => headers.get(name) ?? null },
    signal,
    exchange: null,
  };
  const answer = await fetch(head, { jsonrpc: '2.0', id: 1, ...message });
  let text = '';
  let length = 0;
  const decoder = new TextDecoder();
  for await (const chunk of (answer.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > limitBytes) throw new Error(`the answer to ${message.method} is longer than ${limitBytes} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return { text, status: answer.status };
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
function observe(server: McpServer | Server, onSend: (message: JSONRPCMessage) => void): void {
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

/** The answers to the calls of a stream that ends before them. Who listens waits for none. */
function answerRest({ calls, listening, abort }: Exchange, answered: (message: JSONRPCMessage) => void): string {
  const { message } = abort.signal.reason as Error;
  const unanswered = listening ? [] : calls.filter(call => !call.settled);
  return unanswered
    .map(({ id }) => {
      const answer = rpcError(id, internalError, message);
      answered(answer as JSONRPCMessage);
      return `event: message\ndata: ${JSON.stringify(answer)}\n\n`;
    })
    .join('');
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
