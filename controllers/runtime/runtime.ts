import type { Assignment, HostExit } from '../../specs/assignment.ts';

/**
 * What names one process for good: a pid alone is reused, after a reboot even with the same start time.
 * `startTime` is field 22 of /proc/<pid>/stat, in clock ticks since boot.
 */
export interface Identity {
  readonly pid: number;
  readonly startTime: string;
  readonly bootId: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
  /** The host's own word where it left one. */
  readonly reason: HostExit['reason'] | null;
  readonly message: string;
}

export type StartOutcome =
  | { readonly kind: 'started'; readonly identity: Identity }
  /** Somebody else listens on the port. */
  | { readonly kind: 'port-conflict'; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string };

/** What there is of an attempt's processes. */
export type ProcessState =
  /** The host lives and has accepted its assignment. `knownForMs`: since this controller has it; null = not yet. */
  | { readonly kind: 'alive'; readonly identity: Identity; readonly knownForMs: number | null }
  /** A host is there that has no assignment (yet): it accepts soon, or ends by itself. */
  | { readonly kind: 'pending' }
  /** The host is gone; `leftovers` of its descendants are not. */
  | { readonly kind: 'gone'; readonly leftovers: number; readonly exit: Exit | null; readonly rebooted: boolean };

export interface AttemptRef {
  readonly id: string;
  readonly instanceUid: string;
  /** null until the spawn was recorded. */
  readonly identity: Identity | null;
}

/** Starts, stops and observes processes on this node. The only place that touches them. */
export interface Runtime {
  readonly name: 'builtin' | 'systemd' | 'pm2';
  /** Binds the port, spawns a host and hands over the assignment; resolves when the host accepted it. */
  start(assignment: Assignment): Promise<StartOutcome>;
  /** Remembers why an attempt cannot be started; observe tells it. */
  refuse(attemptId: string, message: string): StartOutcome;
  observe(attempt: AttemptRef): ProcessState;
  /** The same for many, from one look at the process table. */
  observeAll(attempts: readonly AttemptRef[]): Map<string, ProcessState>;
  /** Asks the host to drain and end. */
  terminate(attempt: AttemptRef, identity: Identity): void;
  /** SIGKILL to everything that belongs to the attempt. */
  kill(attempt: AttemptRef): Promise<void>;
  /** Attempts of this installation and node that have any process, whoever started it. */
  attemptsWithProcesses(): ReadonlySet<string>;
  /** Absolute path of an attempt's directory: identity.json, exit.json, host.log. */
  runDirectory(attemptId: string): string;
  /** Looks once whether the watched hosts still live and calls `onExit` for those that do not. */
  sweep(): void;
  /** From now on the host is watched by sweep(). */
  watch(attempt: AttemptRef, identity: Identity): void;
  unwatch(attemptId: string): void;
  /** Nothing could be seen for a while (the database was away): nobody is known for longer than from now. */
  lookAnew(): void;
  /** Ends every process of this installation and node without a word to the database. */
  endAll(graceMs: number): Promise<boolean>;
}
