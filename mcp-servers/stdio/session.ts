import type { JSONRPCMessage } from '@modelcontextprotocol/client';
import type { Child } from './child.ts';
import type { EventStream } from './event-stream.ts';
import { createJournal, formatEventId } from './journal.ts';
import type { EventId } from './journal.ts';
import { passNoise, readMessages, writeMessage } from './messages.ts';

export type RpcId = string | number;

/** A request of the client that the child has not answered yet. */
interface Pending {
  readonly stream: string;
  readonly progressToken: unknown;
  /** Called with the answer, before it is on its way. */
  answered(message: JSONRPCMessage): void;
}

/** A run of events: those of one POST, or (standalone) all that belong to none. */
interface Lane {
  readonly id: string;
  /** Of the open ones the newest gets what comes: it is the one that the client has opened last. */
  readonly readers: Set<EventStream>;
  /** Requests without an answer; a lane of a POST ends with the last of them. */
  open: number;
  /** The last event that went to a reader. */
  sent: number;
}

export interface Session {
  readonly id: string;
  /** A client waits for an answer at an open stream. */
  readonly busy: boolean;
  /** Some stream of it is open. */
  readonly connected: boolean;
  /** Milliseconds since something came from the client or went to it. */
  readonly quietMs: number;
  /** Sends what the client says. Requests are answered at the reader; without one, to `answered` alone. */
  send(messages: readonly JSONRPCMessage[], reader: EventStream | null, answered: Pending['answered']): void;
  isPending(id: RpcId): boolean;
  /** Answers a request with this sentence if the child has not yet. */
  refuse(id: RpcId, why: string): void;
  /** Resolves when everything is delivered that the child has said until its end. */
  readonly heard: Promise<void>;
  /** A stream for what belongs to no request. */
  listen(reader: EventStream): void;
  /** Whether there may be something behind an event. */
  knows(event: EventId): boolean;
  /** The rest of an event's stream. */
  resume(reader: EventStream, event: EventId): void;
  /** Answers what still waits with this sentence, ends all streams, and then the child. Resolves when it is gone. */
  end(why: string, graceMs: number): Promise<void>;
}

const standalone = 's';
/** Over this, the oldest requests of either side are taken for given up. */
const mostAsked = 1024;
const tooMany = `Over ${mostAsked} requests of this session wait for an answer; this was the oldest. Cancel what is given up.`;
const internalError = -32603;

/** What changes whatever is being worked on: a request that the client has given up must not swallow it. */
const changes = /^notifications\/(?:\w+\/list_changed|resources\/updated)$/;

/**
 * One legacy client and a child of its own, whose JSON-RPC passes through. What is decided here is only over which
 * of the client's streams a message goes.
 */
export function createSession(id: string, child: Child): Session {
  const journal = createJournal();
  const pending = new Map<RpcId, Pending>();
  /** The child's own requests, and the lane each was sent over. */
  const asked = new Map<RpcId, string>();
  const lanes = new Map<string, Lane>([[standalone, createLane(standalone)]]);
  let made = 0;
  let movedMs = performance.now();
  let over = false;

  const move = () => {
    movedMs = performance.now();
  };
  const attach = (lane: Lane, reader: EventStream) => {
    if (!reader.open) return;
    lane.readers.add(reader);
    reader.onClose(() => lane.readers.delete(reader));
  };
  const replay = (lane: Lane, reader: EventStream, behind: number) => {
    const missed = journal.since(lane.id, behind);
    attach(lane, reader);
    for (const { number, data } of missed) void reader.write(formatEventId({ stream: lane.id, number }), data);
    lane.sent = Math.max(lane.sent, missed.at(-1)?.number ?? 0);
  };
  const push = (name: string, message: JSONRPCMessage): Promise<void> | void => {
    const data = JSON.stringify(message);
    const { number } = journal.add(name, data);
    const lane = lanes.get(name);
    const reader = lane === undefined ? undefined : newest(lane);
    if (lane === undefined || reader === undefined) return undefined;
    move();
    lane.sent = number;
    return reader.write(formatEventId({ stream: name, number }), data);
  };
  const finish = (name: string) => {
    const lane = lanes.get(name);
    if (lane === undefined || name === standalone || --lane.open > 0) return;
    lanes.delete(name);
    for (const reader of lane.readers) reader.end();
  };
  const settle = (requestId: RpcId, message: JSONRPCMessage | null): Promise<void> | void => {
    const request = pending.get(requestId);
    // Nobody has asked, or nobody waits any more.
    if (request === undefined) return undefined;
    pending.delete(requestId);
    if (message !== null) request.answered(message);
    // What has no stream of its own goes another way.
    const sent = message === null || request.stream === standalone ? undefined : push(request.stream, message);
    finish(request.stream);
    return sent;
  };
  const refuse = (requestId: RpcId, why: string) => {
    void settle(requestId, { jsonrpc: '2.0', id: requestId, error: { code: internalError, message: why } });
  };
  const isRead = (name: string) => {
    const lane = lanes.get(name);
    return lane !== undefined && newest(lane) !== undefined;
  };
  /** Where something belongs that names no request; where nobody reads, it is kept. */
  const chooseLane = (method: string): string => {
    const waiting = [...pending.values()].map(({ stream }) => stream);
    const only = waiting.length === 1 ? waiting[0]! : null;
    if (only !== null && isRead(only) && !(changes.test(method) && isRead(standalone))) return only;
    if (isRead(standalone)) return standalone;
    return waiting.findLast(isRead) ?? only ?? standalone;
  };
  const receive = (message: JSONRPCMessage): Promise<void> | void => {
    if (over) return undefined;
    if (!('method' in message)) return isRpcId(message.id) ? settle(message.id, message) : undefined;
    if ('id' in message) {
      if (!isRpcId(message.id)) return undefined;
      const lane = chooseLane(message.method);
      asked.set(message.id, lane);
      if (asked.size > mostAsked) asked.delete(asked.keys().next().value!);
      return push(lane, message);
    }
    const { method, params } = message;
    if (method === 'notifications/progress') {
      const token = params?.['progressToken'];
      const request = [...pending.values()].find(({ progressToken }) => progressToken === token);
      return token === undefined || request === undefined ? undefined : push(request.stream, message);
    }
    const cancelled = method === 'notifications/cancelled' ? (params?.['requestId'] as RpcId) : undefined;
    const lane = (cancelled === undefined ? undefined : asked.get(cancelled)) ?? chooseLane(method);
    if (cancelled !== undefined) asked.delete(cancelled);
    return push(lane, message);
  };
  const read = readMessages(child.process.stdout!, { onMessage: receive, onNoise: passNoise });

  return {
    id,
    get busy() {
      return [...lanes.values()].some(lane => lane.open > 0 && newest(lane) !== undefined);
    },
    get connected() {
      return [...lanes.values()].some(lane => newest(lane) !== undefined);
    },
    get quietMs() {
      return performance.now() - movedMs;
    },
    heard: read,
    refuse,
    isPending: requestId => pending.has(requestId),
    send(messages, reader, answered) {
      move();
      const lane = createLane(`p${++made}`);
      lane.open = messages.filter(message => 'method' in message && 'id' in message).length;
      if (reader !== null) {
        attach(lane, reader);
        lanes.set(lane.id, lane);
        reader.prime(formatEventId({ stream: lane.id, number: 0 }));
      }
      for (const message of messages) {
        const request = 'method' in message && 'id' in message ? message : null;
        // An answer to nothing that was asked is none of the child's business.
        if (!('method' in message) && !asked.delete(message.id!)) continue;
        if (request !== null) {
          const { _meta: { progressToken } = {} } = request.params ?? {};
          pending.set(request.id, { stream: reader === null ? standalone : lane.id, progressToken, answered });
          if (pending.size > mostAsked) refuse(pending.keys().next().value!, tooMany);
        }
        try {
          writeMessage(child.process.stdin, message);
        } catch (error) {
          if (request !== null) refuse(request.id, (error as Error).message);
        }
        // Nothing will come any more for a request that is cancelled, so its stream would stay open.
        if ('method' in message && message.method === 'notifications/cancelled') {
          void settle(message.params?.['requestId'] as RpcId, null);
        }
      }
    },
    listen(reader) {
      move();
      const lane = lanes.get(standalone)!;
      reader.prime(formatEventId({ stream: standalone, number: lane.sent }));
      // What was said while nobody listened comes first: a question of the child, say, that it waits for.
      replay(lane, reader, lane.sent);
    },
    knows: ({ stream, number }) => lanes.has(stream) || journal.since(stream, number).length > 0,
    resume(reader, { stream, number }) {
      move();
      const lane = lanes.get(stream);
      replay(lane ?? createLane(stream), reader, number);
      if (lane === undefined) reader.end();
    },
    async end(why, graceMs) {
      if (!over) {
        for (const requestId of pending.keys()) refuse(requestId, why);
        over = true;
        for (const lane of lanes.values()) for (const reader of lane.readers) reader.end();
      }
      await child.stop(graceMs);
    },
  };
}

function createLane(id: string): Lane {
  return { id, readers: new Set(), open: 0, sent: 0 };
}

function newest({ readers }: Lane): EventStream | undefined {
  return [...readers].findLast(reader => reader.open);
}

function isRpcId(value: unknown): value is RpcId {
  return typeof value === 'string' || typeof value === 'number';
}
