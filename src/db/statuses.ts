import type { LastExit } from '../../specs/instance.ts';
import type { Condition, Phase } from '../../specs/phase.ts';
import type { Queryable } from './pool.ts';
import { storableJson } from './storable.ts';

/** A whole status as the process controller writes it. */
export interface StatusWrite {
  readonly instanceUid: string;
  readonly phase: Phase;
  readonly observedGeneration: number;
  readonly conditions: readonly Condition[];
  readonly attemptId: string | null;
  readonly restartCount: number;
  readonly backoffStep: number;
  readonly heldGeneration: number | null;
  readonly nextStartAt: Date | null;
  readonly lastExit: LastExit | null;
  /** `started` and `ready` set their time to now(); `none` clears both. */
  readonly times: 'keep' | 'started' | 'ready' | 'none';
}

/**
 * Writes the status if the stored phase is still the one that was decided on and no younger generation
 * was observed meanwhile; false = somebody was faster, look again.
 */
export async function writeStatus(db: Queryable, from: Phase, status: StatusWrite): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into statuses as s (
       instance_uid, phase, observed_generation, conditions, attempt_id, restart_count, backoff_step, held_generation,
       next_start_at, last_exit, started_at, ready_at)
     select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
       case when $11 = 'started' then now() end, case when $11 = 'ready' then now() end
     where exists (select from instances where uid = $1)
     on conflict (instance_uid) do update set
       phase = excluded.phase, observed_generation = excluded.observed_generation, conditions = excluded.conditions,
       attempt_id = excluded.attempt_id, restart_count = excluded.restart_count, backoff_step = excluded.backoff_step,
       held_generation = excluded.held_generation, next_start_at = excluded.next_start_at, last_exit = excluded.last_exit,
       started_at = case $11 when 'keep' then s.started_at when 'ready' then s.started_at else excluded.started_at end,
       ready_at = case $11 when 'keep' then s.ready_at else excluded.ready_at end,
       updated_at = now()
     where s.phase = $12 and s.observed_generation <= excluded.observed_generation`,
    [
      status.instanceUid,
      status.phase,
      status.observedGeneration,
      storableJson(status.conditions),
      status.attemptId,
      status.restartCount,
      status.backoffStep,
      status.heldGeneration,
      status.nextStartAt,
      status.lastExit === null ? null : storableJson(status.lastExit),
      status.times,
      from,
    ],
  );
  return rowCount === 1;
}

/**
 * Holds the desired state still for the transaction; false when it is no longer of that generation, or the
 * node is no longer the writer's.
 */
export async function lockGeneration(
  db: Queryable,
  instanceUid: string,
  generation: number,
  writer: { node: string; holder: string },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `select from instances where uid = $1 and generation = $2
       and exists (select from nodes where name = $3 and holder = $4) for share`,
    [instanceUid, generation, writer.node, writer.holder],
  );
  return rowCount === 1;
}

/** Removes an instance whose deletion was asked for and whose processes are proven gone; its facts go with it. */
export async function deleteInstance(db: Queryable, instanceUid: string): Promise<boolean> {
  const { rowCount } = await db.query('delete from instances where uid = $1 and deletion_requested_at is not null', [
    instanceUid,
  ]);
  return rowCount === 1;
}
