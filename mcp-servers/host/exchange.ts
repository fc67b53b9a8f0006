import type { JSONRPCMessage } from '@modelcontextprotocol/server';
import type { Log } from './log.ts';

/** One JSON-RPC request of a client. */
interface Call {
  readonly id: string | number;
  readonly method: string;
  readonly tool: string | null;
  settled: boolean;
}

/** One HTTP request of a client and the calls in its body: several only in a legacy batch. */
export interface Exchange {
  readonly calls: readonly Call[];
  /** A stream that is open for as long as both sides like, so nothing waits for it. */
  readonly listening: boolean;
  readonly tokenHash: string;
  /** Tells its client from others with the same token; null for one that does not say. */
  readonly client: string | null;
  readonly startedMs: number;
  /** When this side aborts it, the message of the reason is for the client. */
  readonly abort: AbortController;
  /** Why the program could not take it. */
  unavailable: string | null;
}

export interface Exchanges {
  /** Calls answered since the start. Probes of the controllers are none. */
  readonly answered: number;
  /** Exchanges that somebody waits for. */
  readonly inFlight: number;
  readonly lastAccessedMsAgo: number | null;
  /** `listening` = a stream for what nobody has asked for: a GET. A subscriptions/listen is one anyway. */
  open(body: unknown, from: Pick<Exchange, 'tokenHash' | 'client'>, listening?: boolean): Exchange;
  /**
   * Without sessions a cancellation comes as a request of its own that names nothing but an id, and every client
   * counts from 0: it is obeyed only from the client that the call came from.
   */
  cancel(body: unknown, client: string | null): void;
  /** A message on its way to the client: an answer settles its call. */
  observe(exchange: Exchange, message: JSONRPCMessage): void;
  close(exchange: Exchange, status: number): void;
  /** A request that the guards refused. Anybody can cause these: logged once, then counted. */
  deny(status: number): void;
  /** Ends the streams that stay open by design. */
  endStreams(): void;
  /** Ends what was begun with other tokens than this one: such streams at once, calls after a short grace. */
  revoke(keepTokenHash: string): void;
  endAll(): void;
  /** Resolves when nothing is in flight. */
  idle(): Promise<void>;
}

/** A client chooses these, so a log line bounds them. */
const longestName = 128;
/** The time between two lines about refused requests of the same status. */
const denialsMs = 10_000;
/** How long a call may still take whose token is not valid any more. */
const revokedMs = 5000;
const stopped = 'The instance is being stopped.';
const revoked = 'The token of this request is not valid any more.';
const cancelled = 'The client has cancelled this call.';
/** The SDK refuses a longer batch. */
const longestBatch = 100;

export function createExchanges(log: Log): Exchanges {
  const active = new Set<Exchange>();
  const waiting: (() => void)[] = [];
  let answered = 0;
  let accessedMs: number | null = null;

  const settle = (exchange: Exchange, call: Call, outcome: 'ok' | 'error', detail: object = {}) => {
    if (call.settled) return;
    call.settled = true;
    const ms = Math.round((performance.now() - exchange.startedMs) * 10) / 10;
    log.info({ method: call.method, tool: call.tool, outcome, ms, ...detail }, 'mcp call');
  };
  const inFlight = () => [...active].filter(exchange => !exchange.listening);

  return {
    get answered() {
      return answered;
    },
    get inFlight() {
      return inFlight().length;
    },
    get lastAccessedMsAgo() {
      return accessedMs === null ? null : Math.round(performance.now() - accessedMs);
    },
    open(body, { tokenHash, client }, listening = false) {
      accessedMs = performance.now();
      const calls = listMessages(body)
        .map(readCall)
        .filter(call => call !== null);
      const exchange: Exchange = {
        calls,
        listening: listening || calls.some(call => call.method === 'subscriptions/listen'),
        tokenHash,
        client,
        startedMs: accessedMs,
        abort: new AbortController(),
        unavailable: null,
      };
      active.add(exchange);
      return exchange;
    },
    cancel(body, client) {
      if (client === null) return;
      const own = [...active].filter(exchange => exchange.client === client && exchange.calls.length === 1);
      for (const requestId of listMessages(body).map(readCancelled)) {
        const meant = own.filter(({ calls }) => calls[0]!.id === requestId);
        if (meant.length === 1) breakOff(meant[0]!, cancelled);
      }
    },
    observe(exchange, message) {
      if (!('id' in message) || 'method' in message) return;
      const call = exchange.calls.find(each => each.id === message.id);
      if (call === undefined || call.settled) return;
      answered += 1;
      const failed = 'error' in message || message.result['isError'] === true;
      settle(exchange, call, failed ? 'error' : 'ok', 'error' in message ? { code: message.error.code } : {});
    },
    close(exchange, status) {
      if (!active.delete(exchange)) return;
      for (const call of exchange.calls) {
        const refused = status >= 400 || exchange.unavailable !== null;
        if (!call.settled && (refused || exchange.listening)) answered += 1;
        if (exchange.listening && !refused) settle(exchange, call, 'ok');
        else settle(exchange, call, 'error', refused ? { status } : { cancelled: true });
      }
      if (inFlight().length === 0) for (const resolve of waiting.splice(0)) resolve();
    },
    deny: createDenials(log),
    endStreams() {
      for (const exchange of active) if (exchange.listening) breakOff(exchange, stopped);
    },
    revoke(keepTokenHash) {
      for (const exchange of active) {
        if (exchange.tokenHash === keepTokenHash) continue;
        if (exchange.listening) breakOff(exchange, revoked);
        else setTimeout(() => breakOff(exchange, revoked), revokedMs).unref();
      }
    },
    endAll() {
      for (const exchange of active) breakOff(exchange, stopped);
    },
    idle: () => (inFlight().length === 0 ? Promise.resolve() : new Promise(resolve => waiting.push(resolve))),
  };
}

function breakOff({ abort }: Exchange, why: string): void {
  abort.abort(new DOMException(why, 'AbortError'));
}

function createDenials(log: Log): (status: number) => void {
  /** Those not yet logged, by status, while its pause lasts. */
  const unlogged = new Map<number, number>();
  const write = (status: number, count: number) => {
    log.info({ method: null, tool: null, outcome: 'denied', ms: 0, status, count }, 'mcp call');
    unlogged.set(status, 0);
    setTimeout(() => {
      const missed = unlogged.get(status)!;
      if (missed > 0) write(status, missed);
      else unlogged.delete(status);
    }, denialsMs).unref();
  };
  return status => {
    const missed = unlogged.get(status);
    if (missed === undefined) write(status, 1);
    else unlogged.set(status, missed + 1);
  };
}

function listMessages(body: unknown): unknown[] {
  return Array.isArray(body) ? body.slice(0, longestBatch) : [body];
}

/** The id of the request that this cancels. */
function readCancelled(message: unknown): unknown {
  if (typeof message !== 'object' || message === null) return undefined;
  const { method, params } = message as { method?: unknown; params?: { requestId?: unknown } | null };
  return method === 'notifications/cancelled' ? params?.requestId : undefined;
}

function readCall(message: unknown): Call | null {
  if (typeof message !== 'object' || message === null) return null;
  const { id, method, params } = message as { id?: unknown; method?: unknown; params?: { name?: unknown } | null };
  if (typeof method !== 'string' || (typeof id !== 'string' && typeof id !== 'number')) return null;
  const tool = method === 'tools/call' && typeof params?.name === 'string' ? params.name : null;
  return { id, method: method.slice(0, longestName), tool: tool?.slice(0, longestName) ?? null, settled: false };
}
