import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { deleteOldAttempts, readDisposable, readLiveAttemptIds } from '../src/db/attempts.ts';
import type { Pool } from '../src/db/pool.ts';
import {
  createPartitions,
  deleteOldEvents,
  deleteOldIdempotencyKeys,
  deleteOldTombstones,
  dropOldPartitions,
} from '../src/db/retention.ts';
import { readGoneInstances } from '../src/db/world.ts';
import type { Logger } from '../src/logger.ts';
import { createLoop } from './loop.ts';
import type { Loop } from './loop.ts';
import type { PackageCache } from './packages.ts';
import type { Runtime } from './runtime/runtime.ts';

export interface CleanupOptions {
  readonly pool: Pool;
  readonly node: string;
  /** null where no process controller runs: then only the database is cleaned. */
  readonly local: {
    readonly runtime: Runtime;
    readonly runRoot: string;
    readonly workRoot: string;
    readonly packages: PackageCache;
  } | null;
  readonly log: Logger;
}

const orphanMs = 30_000;
const filesMs = 60_000;
const packagesMs = 300_000;
const retentionMs = 300_000;
const batch = 1_000;

/** Removes what nothing refers to any more: processes without an attempt, files of ended ones, old rows. */
export function createCleanup({ pool, node, local, log }: CleanupOptions): { readonly loops: readonly Loop[] } {
  let suspects: ReadonlySet<string> = new Set();

  const steps: Record<string, () => Promise<number>> = {
    async retention() {
      await createPartitions(pool, 7);
      const dropped = await dropOldPartitions(pool, 14);
      const counts = {
        idempotencyKeys: await drain(() => deleteOldIdempotencyKeys(pool, 24, batch)),
        tombstones: await drain(() => deleteOldTombstones(pool, 60, batch)),
        events: await drain(() => deleteOldEvents(pool, 90, batch)),
        attempts: await drain(() => deleteOldAttempts(pool, 30, batch)),
        partitions: dropped.length,
      };
      if (Object.values(counts).some(count => count > 0)) {
        loop.acted('retention');
        log.info(counts, 'removed what was old');
      }
      return retentionMs;
    },
    async orphans() {
      if (local !== null) suspects = await endOrphans(local.runtime, suspects);
      return orphanMs;
    },
    async files() {
      if (local !== null) await removeFiles(local.runRoot, local.workRoot);
      return filesMs;
    },
    async packages() {
      await local?.packages.sweep();
      return packagesMs;
    },
  };

  /**
   * A process of ours whose attempt the database does not have open: after a restored backup, or a mistake.
   * It is ended only when two looks in a row, each with a complete list, found it so.
   */
  async function endOrphans(runtime: Runtime, before: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    const running = runtime.attemptsWithProcesses();
    if (running.size === 0) return running;
    const live = new Set(await readLiveAttemptIds(pool, node));
    const unknown = new Set([...running].filter(id => !live.has(id)));
    for (const id of unknown) {
      if (!before.has(id)) continue;
      log.warn({ attempt: id }, 'ending processes of an attempt that is not open');
      loop.acted(`orphan ${id}`);
      await runtime.kill({ id, instanceUid: '', identity: null });
    }
    return unknown;
  }

  async function removeFiles(runRoot: string, workRoot: string): Promise<void> {
    for (const id of await readDisposable(pool, uuidsIn(runRoot), 3_600_000))
      rmSync(join(runRoot, id), { recursive: true, force: true });
    for (const uid of await readGoneInstances(pool, uuidsIn(workRoot)))
      if (isOld(join(workRoot, uid))) rmSync(join(workRoot, uid), { recursive: true, force: true });
  }

  const loop = createLoop({
    name: 'cleanup',
    concurrency: 1,
    resyncMs: retentionMs,
    log,
    scan: async () => Object.keys(steps),
    reconcile: key => steps[key]!(),
  });
  return { loops: [loop] };
}

/** Bounded batches until one comes back short. */
async function drain(remove: () => Promise<number>): Promise<number> {
  let sum = 0;
  for (;;) {
    const count = await remove();
    sum += count;
    if (count < batch) return sum;
  }
}

function uuidsIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter(name =>
      /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(name),
    );
  } catch {
    // Nothing was ever started here.
    return [];
  }
}

/** A restored backup may know the instance again: what people may miss is kept for a week. */
function isOld(directory: string): boolean {
  return Date.now() - statSync(directory).mtimeMs > 7 * 86_400_000;
}
