import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResponse,
  SUPPORTED_PROTOCOL_VERSIONS,
} from '@modelcontextprotocol/server';
import type { JSONRPCMessage, JSONRPCRequest } from '@modelcontextprotocol/server';
import { describeError } from '../host/log.ts';
import type { Log } from '../host/log.ts';
import { Misconfigured, Unavailable } from '../host/program.ts';
import type { LegacyExchange } from '../host/program.ts';
import { writeJson } from '../host/web.ts';
import { openEventStream } from './event-stream.ts';
import type { EventStream } from './event-stream.ts';
import { parseEventId } from './journal.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';

const invalidRequest = -32600;
const internalError = -32603;
const serverError = -32000;
const sessionNotFound = -32001;
const sessionHeader = 'mcp-session-id';
/** Older clients take an event without a message for a broken one. */
const primingSince = '2025-11-25';
const longestBatch = 100;

/** Refuses a request; the message is for the client. */
class Refused extends Error {
  override readonly name = 'Refused';
  readonly status: number;
  readonly code: number;
  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/**
 * Streamable HTTP of the revisions with sessions. Resolves when the response is over; with false, and nothing
 * written, when the server turns out to know no sessions.
 */
export async function serveSession(sessions: Sessions, exchange: LegacyExchange, log: Log): Promise<boolean> {
  const { request, response } = exchange;
  if (sessions.impossible) return false;
  try {
    await serve(sessions, exchange);
    // It answered its first initialize with that.
    if (sessions.impossible && !response.headersSent) return false;
  } catch (error) {
    refuse(exchange, error as Error, log);
  }
  // Nobody reads the rest of a body that was not asked for.
  if (!request.complete) request.resume();
  await over(response);
  return true;
}

function refuse({ response, body, answered }: LegacyExchange, error: Error, log: Log): void {
  const id = isJSONRPCRequest(body) ? body.id : null;
  if (error instanceof Refused) return writeJson(response, error.status, rpcError(error.code, error.message, id));
  if (error instanceof Unavailable) {
    return writeJson(response, 503, rpcError(serverError, error.message, id), {
      'retry-after': String(error.retryAfterS),
    });
  }
  // The rest is no client's business: a fault of this side, for the log.
  const known = error instanceof Misconfigured;
  if (!known) log.error(describeError(error), 'session request failed');
  if (response.headersSent) response.end();
  const answer = rpcError(internalError, known ? error.message : 'Internal error', id);
  if (id !== null) answered(answer as JSONRPCMessage);
  return writeJson(response, 200, answer);
}

function over(response: ServerResponse): Promise<void> {
  return new Promise(resolve => {
    if (response.closed) resolve();
    else response.once('close', () => resolve());
  });
}

async function serve(sessions: Sessions, exchange: LegacyExchange): Promise<void> {
  const { request, response } = exchange;
  switch (request.method) {
    case 'POST':
      return servePost(sessions, exchange);
    case 'GET':
      return serveGet(findSession(sessions, request), exchange);
    case 'DELETE':
      sessions.close(findSession(sessions, request), 'The client has ended the session.');
      response.writeHead(204).end();
      return undefined;
    case undefined:
    default:
      response.setHeader('allow', 'GET, POST, DELETE');
      throw new Refused(405, serverError, 'Method not allowed.');
  }
}

async function servePost(sessions: Sessions, exchange: LegacyExchange): Promise<void> {
  const { request, response, body } = exchange;
  if (!accepts(request, 'application/json') || !accepts(request, 'text/event-stream')) {
    throw new Refused(406, serverError, 'Not Acceptable: Accept must name application/json and text/event-stream.');
  }
  const messages = readMessages(body);
  const initialize = messages.find(isInitialize);
  if (initialize !== undefined) {
    if (messages.length > 1) throw new Refused(400, invalidRequest, 'initialize must be alone.');
    if (request.headers[sessionHeader] === undefined) return openSession(sessions, initialize, exchange);
    findSession(sessions, request);
    throw new Refused(400, invalidRequest, 'This session is initialized; send initialize without Mcp-Session-Id.');
  }
  const session = findSession(sessions, request);
  const ids = messages.filter(message => isJSONRPCRequest(message)).map(({ id }) => id);
  if (new Set(ids).size < ids.length || ids.some(id => session.isPending(id))) {
    throw new Refused(400, invalidRequest, 'The id of a request is that of another one still in progress.');
  }
  if (ids.length === 0) {
    session.send(messages, null, exchange.answered);
    response.writeHead(202).end();
    return undefined;
  }
  const reader = openReader(session, exchange, why => {
    for (const id of ids) session.refuse(id, why);
  });
  session.send(messages, reader, exchange.answered);
  return undefined;
}

async function openSession(
  sessions: Sessions,
  initialize: JSONRPCRequest,
  { response, answered, signal }: LegacyExchange,
): Promise<void> {
  const { answer, session } = await sessions.open(initialize, signal);
  if (session === null && sessions.impossible) return;
  answered(answer);
  if (session !== null && response.destroyed) return sessions.close(session, 'The client went away.');
  writeJson(response, 200, answer, session === null ? {} : { [sessionHeader]: session.id });
}

function serveGet(session: Session, exchange: LegacyExchange): void {
  const { request } = exchange;
  if (!accepts(request, 'text/event-stream')) {
    throw new Refused(406, serverError, 'Not Acceptable: Accept must name text/event-stream.');
  }
  const lastId = request.headers['last-event-id'];
  if (lastId === undefined) return session.listen(openReader(session, exchange));
  const event = typeof lastId === 'string' ? parseEventId(lastId) : null;
  if (event === null || !session.knows(event)) {
    throw new Refused(400, serverError, 'The events behind this Last-Event-ID are not kept any more.');
  }
  return session.resume(openReader(session, exchange), event);
}

/** `onAbort` is called, with why, before the stream ends by this side's will. */
function openReader(
  session: Session,
  { request, response, signal }: LegacyExchange,
  onAbort: (why: string) => void = () => {},
): EventStream {
  const version = request.headers['mcp-protocol-version'];
  const primed = typeof version === 'string' && version >= primingSince;
  const reader = openEventStream(response, { [sessionHeader]: session.id }, primed);
  const abort = () => {
    // A client that went away may come back for its answers.
    if (reader.open) onAbort((signal.reason as Error).message);
    reader.end();
  };
  signal.addEventListener('abort', abort, { once: true });
  return reader;
}

/** Throws Refused for a version that is not spoken, for no session id (400) and for a dead one (404). */
function findSession(sessions: Sessions, { headers }: IncomingMessage): Session {
  const version = headers['mcp-protocol-version'];
  if (version !== undefined && !SUPPORTED_PROTOCOL_VERSIONS.includes(String(version))) {
    const known = SUPPORTED_PROTOCOL_VERSIONS.join(', ');
    throw new Refused(400, serverError, `Bad Request: Unsupported protocol version (supported versions: ${known})`);
  }
  const id = headers[sessionHeader];
  if (typeof id !== 'string') {
    throw new Refused(400, serverError, 'Bad Request: Mcp-Session-Id is missing. Begin with initialize.');
  }
  const session = sessions.find(id);
  if (session === null) throw new Refused(404, sessionNotFound, 'Session not found. Initialize again.');
  return session;
}

/** Throws Refused when this is no JSON-RPC. */
function readMessages(body: unknown): JSONRPCMessage[] {
  const messages: unknown[] = Array.isArray(body) ? body : [body];
  const known = messages.filter(
    (message): message is JSONRPCMessage =>
      isJSONRPCRequest(message) || isJSONRPCNotification(message) || isJSONRPCResponse(message),
  );
  if (known.length < messages.length || known.length === 0) {
    throw new Refused(400, invalidRequest, 'Invalid Request: the body is no JSON-RPC message.');
  }
  if (known.length > longestBatch) throw new Refused(400, invalidRequest, `A batch has at most ${longestBatch}.`);
  return known;
}

function isInitialize(message: JSONRPCMessage): message is JSONRPCRequest {
  return 'method' in message && message.method === 'initialize' && 'id' in message;
}

function accepts({ headers }: IncomingMessage, type: string): boolean {
  const ranges = (headers.accept ?? '').split(',').map(range => range.split(';', 1)[0]!.trim().toLowerCase());
  return ranges.some(range => range === type || range === '*/*' || range === `${type.split('/', 1)[0]}/*`);
}

function rpcError(code: number, message: string, id: string | number | null): object {
  return { jsonrpc: '2.0', error: { code, message }, id };
}
