import { nextExpiryMs, recordExpiries } from '../src/db/expiries.ts';
import { transaction } from '../src/db/pool.ts';
import type { Pool } from '../src/db/pool.ts';
import type { RingKind } from '../src/db/listener.ts';
import type { Logger } from '../src/logger.ts';
import { createLoop } from './loop.ts';
import type { Loop } from './loop.ts';

export interface ExpiryOptions {
  readonly pool: Pool;
  readonly resyncMs: number;
  readonly log: Logger;
}

export interface ExpiryController {
  readonly loops: readonly Loop[];
  onRing(kind: RingKind, key: string): void;
}

const batch = 200;
// A timer that is early by the clocks' resolution would find nothing due.
const slackMs = 1;

/** Records that leases have ended: by one timer for the next one, not by looking at all of them. */
export function createExpiryController({ pool, resyncMs, log }: ExpiryOptions): ExpiryController {
  const loop = createLoop({
    name: 'expiry',
    concurrency: 1,
    resyncMs,
    log,
    scan: async () => ['next'],
    async reconcile() {
      // Tried again at once when one of them was just written by a younger transaction.
      const expired = await transaction(pool, db => recordExpiries(db, batch));
      for (const row of expired) log.info({ instance: row.name, expiresAt: row.expires_at }, 'the lease has ended');
      if (expired.length > 0) loop.acted(`expired ${expired.length}`);
      if (expired.length === batch) return 0;
      const ms = await nextExpiryMs(pool);
      // Overdue and not recorded: another transaction holds the row for a moment.
      return ms === null ? null : Math.max(Math.ceil(ms) + slackMs, 5);
    },
  });
  return {
    loops: [loop],
    onRing(kind) {
      if (kind === 'instance') loop.wake('next');
    },
  };
}
