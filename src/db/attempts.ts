import type { Queryable } from './pool.ts';
import { storableText } from './storable.ts';

export interface NewAttempt {
  readonly id: string;
  readonly instanceUid: string;
  readonly instanceName: string;
  readonly node: string;
  readonly port: number;
  readonly runtime: string;
  readonly processGeneration: number;
  readonly keyVersion: number | null;
  readonly typeProgram: string | null;
  readonly leaseExpiresAt: Date | null;
  readonly tokenVersion: number | null;
}

/** The intent to start. Fails on a second live attempt of one instance (attempts_one_live). */
export async function insertAttempt(db: Queryable, attempt: NewAttempt): Promise<void> {
  await db.query(
    `insert into attempts (id, instance_uid, instance_name, node, port, runtime, process_generation, key_version,
       type_program, lease_expires_at, token_version)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
    [
      attempt.id,
      attempt.instanceUid,
      attempt.instanceName,
      attempt.node,
      attempt.port,
      attempt.runtime,
      attempt.processGeneration,
      attempt.keyVersion,
      attempt.typeProgram,
      attempt.leaseExpiresAt,
      attempt.tokenVersion,
    ],
  );
}

/** Records who the host is, once; false when the attempt has ended or has an identity already. */
export async function recordIdentity(
  db: Queryable,
  attemptId: string,
  identity: { pid: number; startTime: string; bootId: string },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `update attempts set pid = $2, start_time = $3, boot_id = $4, spawned_at = now()
     where id = $1 and ended_at is null and pid is null`,
    [attemptId, identity.pid, identity.startTime, identity.bootId],
  );
  return rowCount === 1;
}

/** What the host was told and said yes to. */
export async function recordLease(
  db: Queryable,
  attemptId: string,
  expiresAt: Date | null,
  tokenVersion: number | null,
): Promise<void> {
  await db.query(`update attempts set lease_expires_at = $2, token_version = $3 where id = $1 and ended_at is null`, [
    attemptId,
    expiresAt,
    tokenVersion,
  ]);
}

/** The intent to stop; false when that was already intended or the attempt has ended. */
export async function recordStopping(db: Queryable, attemptId: string, reason: string): Promise<boolean> {
  const { rowCount } = await db.query(
    `update attempts set stopping_at = now(), stop_reason = $2 where id = $1 and ended_at is null and stopping_at is null`,
    [attemptId, reason],
  );
  return rowCount === 1;
}

export async function recordKilled(db: Queryable, attemptId: string): Promise<void> {
  await db.query(
    `update attempts set killed_at = now() where id = $1 and ended_at is null and stopping_at is not null and killed_at is null`,
    [attemptId],
  );
}

export interface AttemptEnd {
  readonly reason: string;
  readonly message: string;
  readonly code: number | null;
  readonly signal: string | null;
}

/** Closes an attempt whose processes are proven gone; false when it is closed already. */
export async function endAttempt(db: Queryable, attemptId: string, end: AttemptEnd): Promise<boolean> {
  const { rowCount } = await db.query(
    `update attempts set ended_at = now(), end_reason = $2, end_message = $3, exit_code = $4, exit_signal = $5
     where id = $1 and ended_at is null`,
    [attemptId, end.reason, storableText(end.message), end.code, end.signal],
  );
  return rowCount === 1;
}

export interface ProbeTarget {
  readonly attempt_id: string;
  readonly instance_uid: string;
  readonly port: number;
  readonly pid: number;
  readonly stopping: boolean;
  /** What is recorded of it; null = nothing yet. */
  readonly ready: boolean | null;
  readonly tools_hash: string | null;
}

const probeTarget = `
  select a.id as attempt_id, a.instance_uid, a.port, a.pid, a.stopping_at is not null as stopping, o.ready,
    o.tools_hash
  from attempts a left join observations o on o.attempt_id = a.id
  where a.node = $1 and a.ended_at is null and a.pid is not null`;

/** The live process of one instance on this node, for the health controller. */
export async function readProbeTarget(db: Queryable, node: string, instanceUid: string): Promise<ProbeTarget | null> {
  const { rows } = await db.query<ProbeTarget>(`${probeTarget} and a.instance_uid = $2`, [node, instanceUid]);
  return rows[0] ?? null;
}

export async function readProbeTargets(db: Queryable, node: string): Promise<ProbeTarget[]> {
  const { rows } = await db.query<ProbeTarget>(probeTarget, [node]);
  return rows;
}

/** Ids of the attempts of this node that have not ended. */
export async function readLiveAttemptIds(db: Queryable, node: string): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>('select id from attempts where node = $1 and ended_at is null', [
    node,
  ]);
  return rows.map(row => row.id);
}

/** Which of these attempts ended before the given age, or are not known at all: their files may go. */
export async function readDisposable(
  db: Queryable,
  attemptIds: readonly string[],
  olderThanMs: number,
): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    `select x.id from unnest($1::uuid[]) as x (id) left join attempts a on a.id = x.id
     where a.id is null or a.ended_at < now() - make_interval(secs => $2::double precision / 1000)`,
    [attemptIds, olderThanMs],
  );
  return rows.map(row => row.id);
}

/** Forgets attempts that ended long ago, a bounded number at a time; returns how many. */
export async function deleteOldAttempts(db: Queryable, olderThanDays: number, limit: number): Promise<number> {
  const { rowCount } = await db.query(
    `delete from attempts where id in (
       select id from attempts where ended_at < now() - make_interval(days => $1) limit $2)`,
    [olderThanDays, limit],
  );
  return rowCount ?? 0;
}
