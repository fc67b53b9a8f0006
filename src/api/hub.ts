import { readChanges, readChangesOfNodes, readHistory } from '../db/changes.ts';
import type { ChangeRow } from '../db/changes.ts';
import { lastId, readEventHistory, readEvents } from '../db/events.ts';
import type { EventRow } from '../db/events.ts';
import { openListener } from '../db/listener.ts';
import type { Listener, RingKind } from '../db/listener.ts';
import { readNodes } from '../db/nodes.ts';
import type { Pool } from '../db/pool.ts';
import { errorMessage } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { StreamTiming } from './context.ts';
import type { EventStream } from './event-stream.ts';
import { createFeed } from './feed.ts';
import type { Feed } from './feed.ts';

/** What this process hears of changes, for all its streams: one connection, one query for each change. */
export interface Hub {
  readonly timing: StreamTiming;
  readonly instances: Feed<ChangeRow>;
  readonly events: Feed<EventRow>;
  readonly isClosed: boolean;
  start(): void;
  /** Ends the stream when the hub closes. */
  keep(stream: EventStream): void;
  /** Waits until something rings about the instance, at most `timeoutMs`. */
  nextRing(instanceUid: string, timeoutMs: number): Promise<void>;
  close(): Promise<void>;
}

// What a reader sees of an instance changes with these; the others ring for controllers.
const instanceRings: ReadonlySet<RingKind> = new Set(['instance', 'placement', 'expiry', 'status']);
const usualTiming: StreamTiming = { bookmarkMs: 15_000, nodesMs: 5_000, drainMs: 30_000 };

export function createHub(pool: Pool, log: Logger, givenTiming: Partial<StreamTiming> = {}): Hub {
  const timing = { ...usualTiming, ...givenTiming };
  const instances = createFeed<ChangeRow>(
    {
      readComplete: () => readHistory(pool),
      readRows: (after, upTo, limit) =>
        readChanges(pool, { version: after.version, uid: after.tie === null ? null : String(after.tie) }, upTo, limit),
      positionOf: row => ({ version: row.version, tie: row.instance_uid }),
    },
    log,
  );
  const events = createFeed<EventRow>(
    {
      readComplete: () => readEventHistory(pool),
      readRows: (after, upTo, limit) =>
        readEvents(
          pool,
          null,
          { xid: after.version, id: after.tie === null ? lastId : Number(after.tie) },
          upTo,
          limit,
        ),
      positionOf: row => ({ version: row.xid, tie: row.id }),
    },
    log,
  );
  const waiting = new Map<string, Set<() => void>>();
  const streams = new Set<EventStream>();
  let listener: Listener | undefined;
  let isClosed = false;
  let nodesTimer: NodeJS.Timeout | undefined;
  const nodeAlive = new Map<string, boolean>();

  function ring(kind: RingKind, key: string): void {
    events.ring();
    if (!instanceRings.has(kind)) return;
    instances.ring();
    for (const wake of waiting.get(key) ?? []) wake();
  }

  /** A heartbeat that stops or returns changes what readers are told, though nothing was written. */
  async function watchNodes(): Promise<void> {
    try {
      const flipped: string[] = [];
      for (const { name, alive } of await readNodes(pool)) {
        if (nodeAlive.has(name) && nodeAlive.get(name) !== alive) flipped.push(name);
        nodeAlive.set(name, alive);
      }
      if (flipped.length > 0 && instances.hasFollowers()) {
        const rows = await readChangesOfNodes(pool, flipped);
        // What was told is what was read now: the node may have flipped back since it was looked at.
        for (const row of rows) nodeAlive.set(row.node_name, row.node_alive);
        instances.announce(rows);
      }
    } catch (error) {
      log.debug(`nodes were not read: ${errorMessage(error)}`);
    }
    if (!isClosed) nodesTimer = setTimeout(() => void watchNodes(), timing.nodesMs);
  }

  return {
    timing,
    instances,
    events,
    get isClosed() {
      return isClosed;
    },
    start() {
      listener = openListener({
        connectionString: pool.options.connectionString!,
        applicationName: 'minimcp api listener',
        onRing: ring,
        onConnect() {
          instances.ring();
          events.ring();
        },
        log: message => log.warn(`api ${message}`),
      });
      void watchNodes();
    },
    keep(stream) {
      streams.add(stream);
      stream.onClose(() => streams.delete(stream));
      if (isClosed) stream.end();
    },
    nextRing(instanceUid, timeoutMs) {
      return new Promise(resolve => {
        const wakers = waiting.get(instanceUid) ?? new Set();
        waiting.set(instanceUid, wakers.add(wake));
        const timer = setTimeout(wake, timeoutMs);
        function wake(): void {
          clearTimeout(timer);
          wakers.delete(wake);
          if (wakers.size === 0) waiting.delete(instanceUid);
          resolve();
        }
      });
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      clearTimeout(nodesTimer);
      for (const stream of streams) stream.end();
      for (const wakers of waiting.values()) for (const wake of wakers) wake();
      instances.close();
      events.close();
      await listener?.close();
    },
  };
}
