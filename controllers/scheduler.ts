import getPort, { clearLockedPorts } from 'get-port';
import { appendEvent } from '../src/db/events.ts';
import type { RingKind } from '../src/db/listener.ts';
import {
  lockForPlacement,
  placeInstance,
  readNodePorts,
  readPlacement,
  readUnsettled,
  releasePlacement,
} from '../src/db/placements.ts';
import type { NodePorts, PlacementRow } from '../src/db/placements.ts';
import { transaction } from '../src/db/pool.ts';
import type { Pool } from '../src/db/pool.ts';
import type { Logger } from '../src/logger.ts';
import { createLoop } from './loop.ts';
import type { Loop } from './loop.ts';
import { planPlacement } from './scheduler.plan.ts';

export interface SchedulerOptions {
  readonly pool: Pool;
  /** The node this controller runs on: there it can see which ports are really free. */
  readonly node: string;
  readonly resyncMs: number;
  readonly log: Logger;
}

export interface Scheduler {
  readonly loops: readonly Loop[];
  onRing(kind: RingKind, key: string): void;
}

const nodeStaleMs = 30_000;
const portCooldownMs = 30_000;
const starvedMs = 2_000;

/** Gives every instance that is to run a node and a port, and takes them back when it rests. */
export function createScheduler({ pool, node, resyncMs, log }: SchedulerOptions): Scheduler {
  const starved = new Map<string, string>();

  const loop = createLoop({
    name: 'scheduler',
    // One at a time: two would choose the same port.
    concurrency: 1,
    resyncMs,
    log,
    scan: () => readUnsettled(pool),
    async reconcile(uid) {
      const row = await readPlacement(pool, uid);
      if (row === null) {
        starved.delete(uid);
        return null;
      }
      const nodes = await readNodePorts(pool, nodeStaleMs, portCooldownMs);
      const action = planPlacement(row, nodes);
      switch (action.kind) {
        case 'wait':
          return null;
        case 'starve':
          // Said once, not at every look; the instance's condition says it too.
          if (starved.get(uid) !== action.reason) log.warn({ instance: row.name }, action.reason);
          starved.set(uid, action.reason);
          return starvedMs;
        case 'release':
          await transaction(pool, async db => (await lockForPlacement(db, uid)) && releasePlacement(db, uid));
          log.debug({ instance: row.name, port: row.port }, 'place released');
          return null;
        case 'place':
          return place(row, action.node, action.ports, action.reason);
        default:
          return action satisfies never;
      }
    },
  });

  async function place(
    row: PlacementRow,
    target: NodePorts,
    ports: readonly number[],
    why: string,
  ): Promise<number | null> {
    const port = await choosePort(target, ports);
    if (port === null) return starvedMs;
    const reason = row.node === null ? 'Scheduled' : 'Rescheduled';
    const message = `${why}: port ${port}`;
    const done = await transaction(pool, async db => {
      if (!(await lockForPlacement(db, row.uid)) || !(await placeInstance(db, row, target.name, port))) return false;
      await appendEvent(db, {
        instanceUid: row.uid,
        instanceName: row.name,
        controller: 'scheduler',
        node: target.name,
        reason,
        from: null,
        to: null,
        message,
        data: { port },
      });
      return true;
    });
    if (!done) return 0;
    starved.delete(row.uid);
    loop.acted(`placed ${row.name}`);
    log.info({ instance: row.name, event: reason, node: target.name, port }, message);
    return null;
  }

  /** On our own node the first port that can be bound now; on another its runtime's bind is the first proof. */
  async function choosePort(target: NodePorts, ports: readonly number[]): Promise<number | null> {
    if (target.name !== node) return ports[0] ?? null;
    // The table of placements says what is given away; get-port's own memory would refuse an instance its old port.
    clearLockedPorts();
    const port = await getPort({ port: ports, host: target.instance_host });
    // Out of candidates get-port falls back to any port at all.
    return ports.includes(port) ? port : null;
  }

  return {
    loops: [loop],
    onRing(kind, key) {
      if (kind === 'instance' || kind === 'status') loop.wake(key);
    },
  };
}
