import { open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MiniMcpError } from '../errors.ts';
import type { Binaries } from './binaries.ts';
import { isShellSafe, runCommand, type Account, type CommandResult } from './command.ts';
import { errorCode } from './errno.ts';
import { takeLock, type FileLock } from './flock.ts';
import type { Layout } from './layout.ts';
import { readLockFile, type RunningServer } from './lockfile.ts';
import { isAlive } from './process.ts';

/** Longest start: crash recovery of a full write-ahead log on a slow disk. */
export const startTimeoutMs = 120_000;
const pollMs = 5;
const longestLogBytes = 1_048_576;
const quotedLogBytes = 2000;

/** After each of these the next harder signal is sent; write-ahead logging makes every one of them safe. */
const stopLadder = [
  { mode: 'fast', signal: 'SIGINT', graceMs: 60_000 },
  { mode: 'immediate', signal: 'SIGQUIT', graceMs: 15_000 },
  { mode: 'kill', signal: 'SIGKILL', graceMs: 15_000 },
] as const;

export type StopMode = 'fast' | 'immediate';

export interface LaunchRequest {
  readonly layout: Layout;
  readonly account: Account;
  readonly binaries: Binaries;
  /** Inherited by the server and everything it starts. */
  readonly serverLock: FileLock;
}

/**
 * Starts the server through pg_ctl, so that it is nobody's child and leads its own session: neither our
 * death nor Ctrl-C reaches it. Answers when it accepts connections. Throws `PostgresStartFailed`.
 */
export async function launchServer(request: LaunchRequest): Promise<RunningServer> {
  const { layout, account, binaries } = request;
  const logOffset = await rotateLog(layout.log);
  // The full path is for people who look at the process table.
  const dataDir = isShellSafe(layout.cluster) ? layout.cluster : '.';
  const timeoutS = String(startTimeoutMs / 1000);
  const starter = runCommand({
    account,
    program: binaries.pgCtl,
    args: ['start', '-s', '-w', '-t', timeoutS, '-D', dataDir, '-p', binaries.postgres, '-l', 'server.log'],
    cwd: layout.cluster,
    inheritedFd: request.serverLock.fd,
  });
  // pg_ctl looks ten times a second. Looking oftener ourselves halves a warm start.
  let result: CommandResult | undefined;
  while (result === undefined) {
    const found = await readLockFile(layout.cluster);
    if (found.kind === 'running' && found.server.ready) return found.server;
    result = await Promise.race([starter, delay(pollMs, undefined)]);
  }
  const found = await readLockFile(layout.cluster);
  if (result.exitCode === 0 && found.kind === 'running') return found.server;
  const log = await readFrom(layout.log, logOffset);
  throw new MiniMcpError('PostgresStartFailed', `The embedded database did not start: ${log || result.output}`, {
    hint: `The server's log is ${layout.log}. Or set DATABASE_URL to a PostgreSQL server.`,
  });
}

/** Sends the mode's signal if the server still is the process it was. */
export async function signalServer(server: RunningServer, mode: StopMode): Promise<void> {
  for (const step of stopLadder) if (step.mode === mode) await signalIfAlive(server, step.signal);
}

/**
 * Stops the server and waits until its last process is gone. A mode that does not help in time is
 * followed by the next harder one. Throws `PostgresStopFailed`.
 */
export async function stopServer(server: RunningServer, layout: Layout, mode: StopMode): Promise<void> {
  for (const step of stopLadder.slice(mode === 'fast' ? 0 : 1)) {
    await signalIfAlive(server, step.signal);
    if (await waitUntilGone(server, layout, step.graceMs)) return;
  }
  throw new MiniMcpError('PostgresStopFailed', `Process ${server.pid} of the embedded database does not end.`);
}

async function signalIfAlive(server: RunningServer, signal: NodeJS.Signals): Promise<void> {
  if (!(await isAlive(server))) return;
  try {
    process.kill(server.pid, signal);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

async function waitUntilGone(server: RunningServer, layout: Layout, graceMs: number): Promise<boolean> {
  const endsAt = performance.now() + graceMs;
  while (await isAlive(server)) {
    if (performance.now() > endsAt) return false;
    await delay(pollMs);
  }
  // Its children end after it, and the lock only with the last of them. Whoever takes it next is no concern here.
  const lock = await takeLock(layout.serverLock, 1000);
  lock?.release();
  return true;
}

/** Answers the size of the log before the start, so that its messages can be told from older ones. */
async function rotateLog(path: string): Promise<number> {
  const size = (await stat(path).catch(() => undefined))?.size ?? 0;
  if (size <= longestLogBytes) return size;
  await rename(path, `${path}.1`);
  return 0;
}

async function readFrom(path: string, offset: number): Promise<string> {
  const file = await open(path, 'r').catch(() => undefined);
  if (!file) return '';
  try {
    const { size } = await file.stat();
    const from = Math.max(offset, size - quotedLogBytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
    return buffer.toString('utf8', 0, bytesRead).trim();
  } finally {
    await file.close();
  }
}

/** Removes the lock file of a server that is proved dead. Call it with the server lock held. */
export async function removeLockFile(layout: Layout): Promise<void> {
  await rm(join(layout.cluster, 'postmaster.pid'), { force: true });
}
