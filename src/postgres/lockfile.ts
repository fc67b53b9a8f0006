import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ignoring } from './errno.ts';
import { directoryId, findProcess } from './process.ts';

export interface RunningServer {
  readonly pid: number;
  readonly startTicks: string;
  /** Empty until the server has opened its socket. */
  readonly socketDir: string;
  /** False while it starts, recovers or stops. */
  readonly ready: boolean;
}

/** What `postmaster.pid` in a cluster stands for. */
export type LockFile =
  | { readonly kind: 'absent' }
  | { readonly kind: 'running'; readonly server: RunningServer }
  /** Its process provably is no server of this cluster; `reason` says why. */
  | { readonly kind: 'stale'; readonly reason: string };

/**
 * Reads the server's lock file and looks at the process it names: dead, a zombie, another program or
 * a server of another cluster makes it stale. Whatever cannot be told counts as running.
 */
export async function readLockFile(cluster: string): Promise<LockFile> {
  const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(ignoring('ENOENT'));
  if (text === undefined) return { kind: 'absent' };
  // Lines: pid, data directory, start time, port, socket directory, address, shared memory, status.
  const lines = text.split('\n');
  // A single-user server writes its pid with a minus.
  const pid = Math.abs(Number.parseInt(lines[0] ?? '', 10));
  if (!Number.isSafeInteger(pid) || pid === 0) return { kind: 'stale', reason: 'it names no process' };
  const found = await findProcess(pid);
  if (!found) return { kind: 'stale', reason: `process ${pid} is dead` };
  if (found.program !== undefined && found.program !== 'postgres') {
    return { kind: 'stale', reason: `process ${pid} is ${found.program || 'ending'}, not postgres` };
  }
  // Every process of a server works in its cluster's directory.
  if (found.workingDirectory !== undefined && found.workingDirectory !== (await directoryId(cluster))) {
    return { kind: 'stale', reason: `process ${pid} is the server of another data directory` };
  }
  const server = { pid, startTicks: found.startTicks, socketDir: lines[4] ?? '', ready: lines[7]?.trim() === 'ready' };
  return { kind: 'running', server };
}
