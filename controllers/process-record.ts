import { appendEvent } from '../src/db/events.ts';
import { transaction } from '../src/db/pool.ts';
import type { Pool, Queryable } from '../src/db/pool.ts';
import { lockGeneration, writeStatus } from '../src/db/statuses.ts';
import type { InstanceRow } from '../src/db/world.ts';
import type { Phase } from '../specs/phase.ts';
import type { Logger } from '../src/logger.ts';
import { mergeConditions } from './conditions.ts';
import type { EndDraft, EventDraft, StatusChange } from './process-world.ts';

export interface Recording {
  readonly pool: Pool;
  readonly node: string;
  /** Who this process is in the node's row. */
  readonly holder: string;
  readonly log: Logger;
}

export interface RecordOptions {
  /** Written in the same transaction; false = somebody was faster, and nothing is written. */
  readonly also?: (db: Queryable) => Promise<boolean>;
  /** The attempt that the status names from now on; unset = as it was. */
  readonly attemptId?: string | null;
  /** Becomes the status's lastExit. */
  readonly ended?: EndDraft;
}

const idlePhases: ReadonlySet<Phase> = new Set(['Pending', 'Backoff', 'Stopped', 'Expired']);
const lost = Symbol('somebody was faster');

/**
 * One transaction: the status, its event, and what else belongs to the step; then one log line. False, and
 * nothing written, when the desired state or the phase is no longer what was decided on.
 */
export async function recordChange(
  row: InstanceRow,
  change: StatusChange,
  recording: Recording,
  options: RecordOptions = {},
): Promise<boolean> {
  try {
    await transaction(recording.pool, async db => {
      if (!(await lockGeneration(db, row.uid, row.generation, recording))) throw lost;
      if (options.also !== undefined && !(await options.also(db))) throw lost;
      if (change.event !== null) await append(db, row, recording, change.event, row.phase, change.to);
      if (change.also !== undefined) await append(db, row, recording, change.also, null, null);
      if (!(await writeStatus(db, row.phase, statusOf(row, change, options)))) throw lost;
    });
  } catch (error) {
    if (error === lost) return false;
    throw error;
  }
  for (const event of [change.event, change.also]) {
    if (event) {
      recording.log.info({ instance: row.name, event: event.reason, from: row.phase, to: change.to }, event.message);
    }
  }
  return true;
}

/** Appends an event of the process controller. */
export function append(
  db: Queryable,
  row: InstanceRow,
  recording: Recording,
  draft: EventDraft,
  from: Phase | null,
  to: Phase | null,
): Promise<void> {
  return appendEvent(db, {
    instanceUid: row.uid,
    instanceName: row.name,
    controller: 'process',
    node: recording.node,
    ...draft,
    from,
    to,
  });
}

function statusOf(row: InstanceRow, change: StatusChange, options: RecordOptions): Parameters<typeof writeStatus>[2] {
  const idle = idlePhases.has(change.to);
  const attemptId = options.attemptId === undefined ? (row.attempt?.id ?? null) : options.attemptId;
  const { ended } = options;
  return {
    instanceUid: row.uid,
    phase: change.to,
    observedGeneration: row.generation,
    conditions: mergeConditions(row.conditions, change.conditions, row.now),
    attemptId: idle ? null : attemptId,
    restartCount: change.restartCount ?? row.restart_count,
    backoffStep: change.backoffStep ?? row.backoff_step,
    heldGeneration: change.heldGeneration === undefined ? row.held_generation : change.heldGeneration,
    nextStartAt: change.nextStartInMs === undefined ? row.next_start_at : inMs(row.now, change.nextStartInMs),
    lastExit:
      ended === undefined
        ? row.last_exit
        : { code: ended.code, signal: ended.signal, reason: ended.message, at: row.now.toISOString() },
    times: timesOf(row.phase, change.to, idle),
  };
}

function timesOf(from: Phase, to: Phase, idle: boolean): 'keep' | 'started' | 'ready' | 'none' {
  if (to === 'Starting') return 'started';
  if (to === 'Ready' && from === 'Starting') return 'ready';
  return idle ? 'none' : 'keep';
}

function inMs(now: Date, ms: number | null): Date | null {
  return ms === null ? null : new Date(now.getTime() + ms);
}
