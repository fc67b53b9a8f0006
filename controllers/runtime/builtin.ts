import { hostExit, hostIdentity } from '../../specs/assignment.ts';
import type { AttemptRef, Exit, Identity, ProcessState, Runtime } from './runtime.ts';
import type { Logger } from '../../src/logger.ts';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import treeKill from 'tree-kill';
import { crashpoint } from '../crashpoint.ts';
import { createSpawner } from './spawn.ts';
import { bootId, descendants, isAlive, markedProcesses, signal } from './process-table.ts';
import type { MarkedProcess } from './process-table.ts';

export interface BuiltinOptions {
  /** Directory of the attempts' run directories. */
  readonly runRoot: string;
  /** What node is given to run a host for a server type, before the host's own arguments. */
  readonly hostProgram: (type: string) => readonly string[];
  readonly compileCache: string;
  /** `<installation>/<node>`. */
  readonly owner: string;
  readonly spawnConcurrency: number;
  /** A host ended, or its descendants should be looked at. */
  readonly onExit: (instanceUid: string) => void;
  readonly log: Logger;
}

/** Runs hosts as plain child processes that outlive their parent. */
export function createBuiltinRuntime(options: BuiltinOptions): Runtime {
  // Exit statuses of our own children; an adopted host's is known only by its exit.json.
  const exits = new Map<string, { code: number | null; signal: string | null }>();
  // Attempts that this controller has started or taken over, and since when (performance.now()).
  const known = new Map<string, number>();
  const failures = new Map<string, string>();
  // Attempts whose host is our own child and not reaped: dead or not, how it ended is known a moment later.
  const unreaped = new Set<string>();
  const watched = new Map<string, { attempt: AttemptRef; identity: Identity }>();
  const runDirectory = (attemptId: string): string => join(options.runRoot, attemptId);

  const spawnHost = createSpawner({
    ...options,
    onHostExit: (attemptId, instanceUid, code, exitSignal) => {
      // An attempt that is closed already needs no exit status.
      if (known.has(attemptId)) exits.set(attemptId, { code, signal: exitSignal });
      unreaped.delete(attemptId);
      options.onExit(instanceUid);
    },
  });

  function ours(): MarkedProcess[] {
    return markedProcesses().filter(row => row.owner === options.owner);
  }

  function observe(attempt: AttemptRef, look: () => MarkedProcess[]): ProcessState {
    const identity = attempt.identity ?? readIdentity(runDirectory(attempt.id), attempt.id);
    const alive = identity !== null && (unreaped.has(attempt.id) || isAlive(identity));
    if (alive && attempt.identity !== null) return living(attempt.id, identity);
    const processes = look().filter(row => row.attempt === attempt.id);
    // Anybody who can write into the run directory can name any process there; its own markers say what it is.
    if (alive && processes.some(row => row.pid === identity.pid)) return living(attempt.id, identity);
    if (attempt.identity === null && processes.length > 0) return { kind: 'pending' };
    return {
      kind: 'gone',
      leftovers: processes.length,
      exit: readExit(attempt.id),
      rebooted: identity !== null && identity.bootId !== bootId(),
    };
  }

  function living(attemptId: string, identity: Identity): ProcessState {
    const since = known.get(attemptId);
    return { kind: 'alive', identity, knownForMs: since === undefined ? null : performance.now() - since };
  }

  function readExit(attemptId: string): Exit | null {
    const status = exits.get(attemptId);
    const failure = failures.get(attemptId);
    const file = readJson(join(runDirectory(attemptId), 'exit.json'), hostExit);
    // Last words that the kernel contradicts are somebody else's.
    const words = file?.attempt === attemptId && (status === undefined || status.code === file.code) ? file : null;
    if (status === undefined && words === null && failure === undefined) return null;
    const child = words?.child ?? null;
    return {
      code: child === null ? (status?.code ?? words?.code ?? null) : child.code,
      signal: child === null ? (status?.signal ?? null) : child.signal,
      reason: words?.reason ?? null,
      message: failure ?? words?.message ?? '',
    };
  }

  return {
    name: 'builtin',
    runDirectory,
    observe: attempt => observe(attempt, ours),
    observeAll(attempts) {
      let seen: MarkedProcess[] | undefined;
      return new Map(attempts.map(attempt => [attempt.id, observe(attempt, () => (seen ??= ours()))]));
    },
    async start(assignment) {
      known.set(assignment.attempt, performance.now());
      failures.delete(assignment.attempt);
      const outcome = await spawnHost(assignment, runDirectory(assignment.attempt));
      if (outcome.kind === 'failed') failures.set(assignment.attempt, outcome.message);
      if (outcome.kind === 'started' && !exits.has(assignment.attempt)) unreaped.add(assignment.attempt);
      return outcome;
    },
    refuse(attemptId, message) {
      failures.set(attemptId, message);
      return { kind: 'failed', message };
    },
    terminate(_attempt, identity) {
      signal(identity, 'SIGTERM');
    },
    async kill(attempt) {
      crashpoint('kill:before-signal');
      const { identity } = attempt;
      if (identity !== null && isAlive(identity)) {
        // While the host lives its tree is whole: this finds even a child that threw the marker away.
        const tree = descendants(identity.pid);
        await killTree(identity.pid, options.log);
        for (const row of tree) signal({ ...row, bootId: bootId() }, 'SIGKILL');
        signal(identity, 'SIGKILL');
      }
      for (const row of ours()) {
        if (row.attempt === attempt.id) signal({ ...row, bootId: bootId() }, 'SIGKILL');
      }
      crashpoint('kill:signalled');
    },
    attemptsWithProcesses: () => new Set(ours().map(row => row.attempt)),
    watch(attempt, identity) {
      known.set(attempt.id, performance.now());
      watched.set(attempt.id, { attempt, identity });
    },
    unwatch(attemptId) {
      known.delete(attemptId);
      watched.delete(attemptId);
      exits.delete(attemptId);
      failures.delete(attemptId);
    },
    lookAnew() {
      for (const id of known.keys()) known.set(id, performance.now());
    },
    async endAll(graceMs) {
      for (const row of ours()) signal({ ...row, bootId: bootId() }, 'SIGTERM');
      const deadline = performance.now() + graceMs;
      while (ours().length > 0 && performance.now() < deadline) await sleep(50);
      for (const row of ours()) signal({ ...row, bootId: bootId() }, 'SIGKILL');
      await sleep(50);
      return ours().length === 0;
    },
    sweep() {
      for (const { attempt, identity } of watched.values()) {
        if (unreaped.has(attempt.id) || isAlive(identity)) continue;
        watched.delete(attempt.id);
        options.onExit(attempt.instanceUid);
      }
    },
  };
}

function readIdentity(directory: string, attemptId: string): Identity | null {
  const file = readJson(join(directory, 'identity.json'), hostIdentity);
  return file === null || file.attempt !== attemptId ? null : file;
}

/** A file that the host wrote whole by renaming; anything else counts as not there. */
function readJson<T>(
  file: string,
  schema: { safeParse(value: unknown): { success: true; data: T } | { success: false } },
): T | null {
  try {
    const parsed = schema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

/** tree-kill needs `ps`; without it, the descendants and the markers are what is left. */
function killTree(pid: number, log: Logger): Promise<void> {
  if (!hasPs) return Promise.resolve();
  return new Promise(resolve => {
    treeKill(pid, 'SIGKILL', error => {
      if (error) log.debug({ pid, err: error }, 'tree-kill did not reach every process');
      resolve();
    });
  });
}

const hasPs = (process.env['PATH'] ?? '').split(':').some(directory => existsSync(join(directory, 'ps')));
