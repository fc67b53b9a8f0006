import type { ServerResponse } from 'node:http';

/** A client that reads nothing of its stream for this long has it ended: what follows is kept for its return. */
const stalledMs = 10_000;
/** The same for a GET: till then its child has to wait, and so do the calls of the client that never asked for it. */
const stalledListeningMs = 2000;
/** What stands between takes a silent connection for a dead one; a comment now and then is nothing to the client. */
const keepAliveMs = 15_000;
/** After this a client whose stream has broken off asks for the rest of it. */
const retryMs = 1000;

/** One open answer of server-sent events. */
export interface EventStream {
  readonly open: boolean;
  /** Resolves when there is room for more: at once, when the client has read all, or when the stream is over. */
  write(id: string, data: string): Promise<void> | void;
  /** Tells a client that can take it from where to take up this stream if it breaks off. */
  prime(id: string): void;
  end(): void;
  onClose(call: () => void): void;
}

/** `primed`: the client knows events without a message; older ones take them for broken. */
export function openEventStream(
  response: ServerResponse,
  headers: Record<string, string>,
  primed: boolean,
  limitMs = response.req.method === 'GET' ? stalledListeningMs : stalledMs,
): EventStream {
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
    ...headers,
  });
  // The client waits for the head; the first event may be long in coming.
  response.flushHeaders();
  const isOpen = () => !response.destroyed && !response.writableEnded;
  const timer = setInterval(() => {
    if (isOpen() && !response.writableNeedDrain) response.write(': keepalive\n\n');
  }, keepAliveMs).unref();
  response.once('close', () => clearInterval(timer));
  /** One for all that is written meanwhile. */
  let draining: Promise<void> | null = null;
  const drain = () => {
    draining ??= drained(response, limitMs).finally(() => {
      draining = null;
    });
    return draining;
  };
  return {
    get open() {
      return isOpen();
    },
    write(id, data) {
      if (!isOpen() || response.write(`event: message\nid: ${id}\ndata: ${data}\n\n`)) return undefined;
      return drain();
    },
    prime(id) {
      if (primed && isOpen()) response.write(`id: ${id}\nretry: ${retryMs}\ndata: \n\n`);
    },
    end() {
      if (isOpen()) response.end();
    },
    onClose: call => response.once('close', call),
  };
}

/** The socket's own timeout knows whether anything moves, also within one long write: it ends a stalled one alone. */
function drained(response: ServerResponse, limitMs: number): Promise<void> {
  response.setTimeout(limitMs);
  return new Promise(resolve => {
    const settle = () => {
      // One that is over has given its connection to the next.
      if (!response.closed) response.setTimeout(0);
      response.off('drain', settle);
      response.off('close', settle);
      resolve();
    };
    response.once('drain', settle);
    response.once('close', settle);
  });
}
