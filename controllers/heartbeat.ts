import { beatControllers, beatNode } from '../src/db/heartbeats.ts';
import type { NodeBeat } from '../src/db/heartbeats.ts';
import type { Pool } from '../src/db/pool.ts';
import type { Logger } from '../src/logger.ts';
import { createLoop } from './loop.ts';
import type { Loop } from './loop.ts';

export interface HeartbeatOptions {
  readonly pool: Pool;
  readonly node: string;
  /** Set where the process controller runs: only then does the node vouch for its instances. */
  readonly beat: (NodeBeat & { readonly holder: string }) | null;
  readonly controllers: readonly Loop[];
  readonly log: Logger;
}

const beatMs = 10_000;

/** Says that this node lives and what its controllers did: two rows' worth of writes, however many instances. */
export function createHeartbeat({ pool, node, beat, controllers, log }: HeartbeatOptions): Loop {
  return createLoop({
    name: 'heartbeat',
    concurrency: 1,
    resyncMs: 60_000,
    log,
    scan: async () => ['node'],
    async reconcile() {
      if (beat !== null && !(await beatNode(pool, beat, beat.holder))) {
        log.error({ node }, 'this node is held by another process; nothing that is decided here is written any more');
      }
      await beatControllers(
        pool,
        node,
        process.pid,
        controllers.map(loop => ({ name: loop.name, stats: loop.stats() })),
      );
      return beatMs;
    },
  });
}
