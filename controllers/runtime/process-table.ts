import { readFileSync, readdirSync } from 'node:fs';
import type { Identity } from './runtime.ts';

/** One process as the kernel has it; zombies are not alive and do not appear. */
export interface ProcessRow {
  readonly pid: number;
  readonly startTime: string;
}

let cachedBootId: string | undefined;

/** The kernel's id of this boot: a process of another boot is gone whatever its pid says. */
export function bootId(): string {
  cachedBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return cachedBootId;
}

/** Reads one process; null when there is none or it is a zombie. */
export function readProcess(pid: number): ProcessRow | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    return goneOr(error, null);
  }
  // The command name is in parentheses and may hold any byte, so count fields from the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  if (state === undefined || state === 'Z' || state === 'X') return null;
  return { pid, startTime: fields[19] ?? '' };
}

export function identityOf(pid: number): Identity | null {
  const row = readProcess(pid);
  return row === null ? null : { pid, startTime: row.startTime, bootId: bootId() };
}

/** Whether this very process still lives. */
export function isAlive(identity: Identity): boolean {
  return identity.bootId === bootId() && readProcess(identity.pid)?.startTime === identity.startTime;
}

/** Signals this very process and says whether it was there: the identity is checked right before. */
export function signal(identity: Identity, name: NodeJS.Signals): boolean {
  if (identity.pid <= 1 || !isAlive(identity)) return false;
  try {
    process.kill(identity.pid, name);
    return true;
  } catch {
    return false;
  }
}

function allPids(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter(pid => pid > 1);
}

/** Markers in the environment of a host, inherited by everything it starts. */
export const attemptMarker = 'MINIMCP_ATTEMPT';
export const ownerMarker = 'MINIMCP_OWNER';

export interface MarkedProcess extends ProcessRow {
  readonly attempt: string;
  /** `<installation>/<node>`: processes of others are none of our business. */
  readonly owner: string;
}

/**
 * Every live process that carries both markers in its environment as it was at exec. Anybody can set them, so
 * only processes of our own user count, with nothing borrowed (setuid).
 */
export function markedProcesses(): MarkedProcess[] {
  const found: MarkedProcess[] = [];
  for (const pid of allPids()) {
    const environment = readEnvironment(pid);
    if (!environment.includes(attemptMarker)) continue;
    const attempt = variable(environment, attemptMarker);
    const owner = variable(environment, ownerMarker);
    if (attempt === null || owner === null || !uuid.test(attempt) || !isOurUser(pid)) continue;
    const row = readProcess(pid);
    if (row !== null) found.push({ ...row, attempt, owner });
  }
  return found;
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function isOurUser(pid: number): boolean {
  let status: string;
  try {
    status = readFileSync(`/proc/${pid}/status`, 'latin1');
  } catch (error) {
    return goneOr(error, false);
  }
  const uids = /^Uid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/).map(Number) ?? [];
  return uids.length === 4 && uids.every(uid => uid === process.geteuid?.());
}

/** A process that is gone is a fact; what could not be read (no descriptor left, say) is none. */
function goneOr<T>(error: unknown, value: T): T {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'ESRCH') return value;
  throw error;
}

function readEnvironment(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch (error) {
    // Of another user, and so not ours.
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM') return '';
    return goneOr(error, '');
  }
}

function variable(environment: string, name: string): string | null {
  const entry = environment.split('\0').find(line => line.startsWith(`${name}=`));
  return entry === undefined ? null : entry.slice(name.length + 1);
}

/** A process's live descendants, whatever their group, session or environment, as long as the chain of parents holds. */
export function descendants(pid: number): ProcessRow[] {
  const found: ProcessRow[] = [];
  const open = [pid];
  for (let parent = open.pop(); parent !== undefined; parent = open.pop()) {
    for (const child of childPids(parent)) {
      const row = readProcess(child);
      if (row === null) continue;
      found.push(row);
      open.push(child);
    }
  }
  return found;
}

function childPids(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap(thread =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
    );
  } catch (error) {
    return goneOr(error, []);
  }
}
