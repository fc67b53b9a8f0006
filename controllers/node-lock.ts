import { mkdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { claimNode, releaseNode } from '../src/db/heartbeats.ts';
import type { NodeBeat } from '../src/db/heartbeats.ts';
import type { Pool } from '../src/db/pool.ts';
import { MiniMcpError } from '../src/errors.ts';
import type { Logger } from '../src/logger.ts';
import { takeLock } from '../src/postgres/flock.ts';
import { bootId, identityOf } from './runtime/process-table.ts';

export interface NodeLock {
  /** Names this process in the node's row: what it writes is refused once another one is named there. */
  readonly holder: string;
  release(): Promise<void>;
}

const staleMs = 30_000;
const askEveryMs = 500;

/**
 * Makes sure that one process alone starts and stops this node's processes. On this machine a lock on a file
 * that the kernel takes back from the dead; in the database the node's row, for a second machine, container or
 * data directory under the same name. After a kill -9 the next start gets both at once; a holder that cannot
 * be looked at from here is waited for until its heartbeat is old. Throws `NodeTaken`.
 */
export async function lockNode(pool: Pool, beat: NodeBeat, directory: string, log: Logger): Promise<NodeLock> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = await takeLock(join(directory, `${encodeURIComponent(beat.name)}.lock`));
  if (file === undefined) throw taken('Another MiniMCP process already runs the process controller of this node');
  try {
    const namespace = readlinkSync('/proc/self/ns/pid');
    const self = identityOf(process.pid);
    const place = `${bootId()} ${namespace}`;
    const holder = `${place} ${process.pid} ${self?.startTime}`;
    const deadline = performance.now() + staleMs + 5_000;
    for (let told = false; ; told = true) {
      const other = await claimNode(pool, beat, holder, staleMs);
      if (other === null) break;
      if (other.startsWith(`${place} `) && !lives(other.slice(place.length + 1))) {
        await releaseNode(pool, beat.name, other);
        continue;
      }
      if (performance.now() > deadline) throw taken(`Another MiniMCP process runs as node "${beat.name}" elsewhere`);
      if (!told)
        log.warn({ node: beat.name }, 'another process held this node a moment ago; waiting until that is old');
      await new Promise(resolve => setTimeout(resolve, askEveryMs));
    }
    return {
      holder,
      async release() {
        // A database that is away lets the heartbeat grow old instead.
        await releaseNode(pool, beat.name, holder).catch(() => {});
        file.release();
      },
    };
  } catch (error) {
    file.release();
    throw error;
  }
}

function lives(process: string): boolean {
  const [pid, startTime] = process.split(' ');
  return identityOf(Number(pid))?.startTime === startTime;
}

function taken(message: string): MiniMcpError {
  return new MiniMcpError('NodeTaken', message, {
    hint: 'End it first, or give this one another name with MINIMCP_NODE',
  });
}
