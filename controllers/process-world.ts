import type { EventReason } from '../specs/event.ts';
import type { RestartPolicy } from '../specs/instance.ts';
import type { Condition, Phase } from '../specs/phase.ts';
import type { Installation } from './packages-manifest.ts';
import type { ProcessState } from './runtime/runtime.ts';

/** What the process controller decides on. Times in milliseconds of the database's clock. */
export interface World {
  readonly now: number;
  readonly instance: {
    readonly generation: number;
    readonly processGeneration: number;
    readonly running: boolean;
    readonly restart: RestartPolicy;
    readonly expiresAt: number | null;
    readonly expired: boolean;
    readonly deleting: boolean;
    readonly tokenVersion: number | null;
    /** Of its registered type: a hash over what a process is made of now; null = built in, or gone. */
    readonly typeProgram: string | null;
    /** It backs off after failures of another program of its type. */
    readonly typeIsNew: boolean;
    /** When the desired state last changed. */
    readonly changedAt: number;
  };
  readonly key: {
    readonly state: 'unneeded' | 'missing' | 'present';
    readonly version: number | null;
    readonly message: string;
  };
  readonly program: {
    /** `checking`: it is looked at for a moment, which is nothing to tell. */
    readonly state: 'ready' | 'checking' | 'installing' | 'misconfigured';
    readonly message: string;
    /** Of a package that is ready: what its installation came to. */
    readonly installation?: Installation;
    /** It is misconfigured because its package could not be installed. */
    readonly notInstalled?: boolean;
    /** It is misconfigured because the instance's config does not fit its type. */
    readonly misfit?: boolean;
  };
  /** On this node. */
  readonly placement: { readonly port: number; readonly conflicted: boolean } | null;
  readonly status: {
    readonly phase: Phase;
    readonly observedGeneration: number;
    readonly conditions: readonly Pick<Condition, 'type' | 'status' | 'reason' | 'message'>[];
    readonly backoffStep: number;
    readonly restartCount: number;
    readonly heldGeneration: number | null;
    readonly nextStartAt: number | null;
    /** Of the present attempt; null = it was never ready. */
    readonly readyAt: number | null;
  };
  readonly attempt: Attempt | null;
  /** null exactly when there is no attempt. */
  readonly process: ProcessState | null;
  readonly health: { readonly ready: boolean; readonly message: string; readonly changedAt: number } | null;
  /** Hashes of the tool list: as the present process was last seen with, and as the instance was last known for. */
  readonly tools: { readonly seen: string | null; readonly known: string | null };
  /** false = this node gives its processes up (the supervisor ends). */
  readonly nodeOpen: boolean;
  /** 0 to 1, for the backoff. */
  readonly jitter: number;
}

export interface Attempt {
  readonly port: number;
  readonly processGeneration: number;
  readonly keyVersion: number | null;
  readonly typeProgram: string | null;
  readonly leaseExpiresAt: number | null;
  readonly tokenVersion: number | null;
  readonly beganAt: number;
  /** The spawn is recorded. */
  readonly spawned: boolean;
  readonly stoppingAt: number | null;
  readonly stopReason: StopReason | null;
  readonly killed: boolean;
}

export type StopReason =
  | 'deleting'
  | 'expired'
  | 'stopped'
  | 'shutdown'
  | 'spec-changed'
  | 'key-changed'
  | 'key-missing'
  | 'type-changed'
  | 'moved'
  | 'start-timeout'
  | 'unhealthy';

export interface Limits {
  /** From the intent until the instance must be ready. */
  readonly startTimeoutMs: number;
  /** How long an unhealthy instance may take to recover before it is replaced. */
  readonly unhealthyMs: number;
  /** Ready for so long, the backoff starts anew. */
  readonly stableMs: number;
  /** From SIGTERM to SIGKILL. */
  readonly stopGraceMs: number;
  /** The same at the end of a lease, where the host ends by itself. */
  readonly expiryGraceMs: number;
  /** The same for one that does not answer anyway. */
  readonly sickGraceMs: number;
  /** How long a host may be without an assignment. */
  readonly acceptMs: number;
  /** How soon to ask again for an end. */
  readonly askAgainMs: number;
  /** How soon to look again after a SIGKILL, at first and at most. */
  readonly killAgainMs: number;
  readonly killAgainMostMs: number;
  /** How soon a program that could not be run is tried again. */
  readonly misconfiguredMs: number;
}

export interface ConditionDraft {
  readonly type: Condition['type'];
  readonly status: Condition['status'];
  readonly reason: string;
  readonly message: string;
}

export interface EventDraft {
  readonly reason: EventReason;
  readonly message: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** What becomes of the status; what is not named stays. `event` belongs to a change of phase. */
export interface StatusChange {
  readonly to: Phase;
  readonly event: EventDraft | null;
  /** Told beside it, without a change of phase. */
  readonly also?: EventDraft;
  readonly conditions: readonly ConditionDraft[];
  readonly backoffStep?: number;
  readonly restartCount?: number;
  readonly heldGeneration?: number | null;
  readonly nextStartInMs?: number | null;
}

export interface EndDraft {
  readonly reason: string;
  readonly message: string;
  readonly code: number | null;
  readonly signal: string | null;
}

export type Action =
  | { readonly kind: 'wait'; readonly againMs: number | null }
  /** Only the status changes. */
  | { readonly kind: 'mark'; readonly change: StatusChange }
  /** Record the intent, then start. */
  | { readonly kind: 'begin'; readonly change: StatusChange }
  /** The intent is recorded and there is no process: start it. */
  | { readonly kind: 'start'; readonly reason: string }
  /** A host of an earlier controller is there: take it over. */
  | { readonly kind: 'adopt'; readonly reason: string }
  /** Tell the host its new lease or token. */
  | { readonly kind: 'renew'; readonly reason: string }
  /** The process has other tools than the instance was known for. */
  | { readonly kind: 'note-tools'; readonly reason: string }
  | { readonly kind: 'stop'; readonly stopReason: StopReason; readonly change: StatusChange }
  /** Ask it (again) to end. */
  | { readonly kind: 'terminate'; readonly reason: string; readonly againMs: number }
  | { readonly kind: 'kill'; readonly reason: string; readonly againMs: number }
  /** The processes are proven gone. */
  | { readonly kind: 'end'; readonly end: EndDraft; readonly change: StatusChange }
  | { readonly kind: 'delete'; readonly reason: string };
