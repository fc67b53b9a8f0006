import pg from 'pg';
import { connectionOptions } from './pool.ts';
import { errorMessage } from '../errors.ts';

/** What the doorbell says: something about this key may have changed. Never what. */
export type RingKind = 'instance' | 'placement' | 'expiry' | 'status' | 'attempt' | 'observation' | 'api-key' | 'type';

export interface ListenerOptions {
  readonly connectionString: string;
  readonly applicationName: string;
  readonly onRing: (kind: RingKind, key: string) => void;
  /** After every (re)connection: what rang in between was missed, so look at everything. */
  readonly onConnect: () => void;
  readonly log: (message: string) => void;
  readonly heartbeatMs?: number;
}

export interface Listener {
  close(): Promise<void>;
}

/**
 * Hears NOTIFY on a connection of its own. A connection that is half open or has lost its LISTEN is
 * found by a heartbeat and replaced; the caller then rescans.
 */
export function openListener(options: ListenerOptions): Listener {
  const heartbeatMs = options.heartbeatMs ?? 10_000;
  let client: pg.Client | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let failures = 0;
  let connecting: Promise<void> = Promise.resolve();

  function later(ms: number, work: () => Promise<void>): void {
    clearTimeout(timer);
    if (closed) return;
    timer = setTimeout(() => {
      connecting = work();
    }, ms);
  }

  async function connect(): Promise<void> {
    const next = new pg.Client({
      ...connectionOptions(options.connectionString, options.applicationName),
      query_timeout: 5_000,
    });
    const lost = (error: Error | undefined): void => {
      if (client !== next && client !== undefined) return;
      drop(next);
      retry(error === undefined ? 'the connection ended' : errorMessage(error));
    };
    next.on('error', lost);
    next.on('end', () => lost(undefined));
    next.on('notification', message => {
      const payload = message.payload ?? '';
      const colon = payload.indexOf(':');
      options.onRing(payload.slice(0, colon) as RingKind, payload.slice(colon + 1));
    });
    try {
      await next.connect();
      await next.query('listen minimcp');
    } catch (error) {
      drop(next);
      retry(errorMessage(error));
      return;
    }
    if (closed) {
      drop(next);
      return;
    }
    client = next;
    if (failures > 0) options.log('hears the database again');
    failures = 0;
    options.onConnect();
    later(heartbeatMs, beat);
  }

  async function beat(): Promise<void> {
    const current = client;
    if (current === undefined) return;
    try {
      const { rows } = await current.query<{ channel: string }>('select pg_listening_channels() as channel');
      if (!rows.some(row => row.channel === 'minimcp')) throw new Error('the connection no longer listens');
      later(heartbeatMs, beat);
    } catch (error) {
      drop(current);
      retry(errorMessage(error));
    }
  }

  function drop(dead: pg.Client): void {
    if (client === dead) client = undefined;
    dead.removeAllListeners();
    // A late error of a connection that was given up must not end the process.
    dead.on('error', () => {});
    void dead.end().catch(() => {});
  }

  function retry(why: string): void {
    if (closed) return;
    // Said once, not at every try.
    if (failures === 0) options.log(`does not hear the database: ${why}`);
    failures += 1;
    later(Math.min(100 * 2 ** Math.min(failures, 6), 5_000) * (0.75 + Math.random() / 2), connect);
  }

  connecting = connect();
  return {
    async close() {
      closed = true;
      clearTimeout(timer);
      await connecting;
      if (client !== undefined) drop(client);
    },
  };
}
