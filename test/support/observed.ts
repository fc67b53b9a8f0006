import { randomUUID } from 'node:crypto';
import type { Phase } from '../../specs/phase.ts';
import { transaction } from '../../src/db/pool.ts';
import type { Pool } from '../../src/db/pool.ts';

/** Writes what controllers would, so that the API can be tested without them. */
export async function registerNode(
  pool: Pool,
  name: string,
  heartbeatAgoMs = 0,
  instanceHost = '127.0.0.1',
): Promise<void> {
  await pool.query(
    `insert into nodes (name, runtime, instance_host, port_from, port_to, boot_id, version, heartbeat_at)
     values ($1, 'builtin', $2, 3001, 4999, 'boot', '0.0.0', now() - $3 * interval '1 millisecond')
     on conflict (name) do update set heartbeat_at = excluded.heartbeat_at`,
    [name, instanceHost, heartbeatAgoMs],
  );
}

export async function placeInstance(pool: Pool, uid: string, node: string, port: number): Promise<void> {
  await pool.query('insert into placements (instance_uid, node, port) values ($1, $2, $3)', [uid, node, port]);
}

/** A live attempt with an identity; answers its id. */
export async function beginAttempt(pool: Pool, uid: string, node: string, port: number, pid: number): Promise<string> {
  const id = randomUUID();
  await pool.query(
    `insert into attempts (id, instance_uid, instance_name, node, port, runtime, process_generation, pid, start_time,
       boot_id, spawned_at)
     select $1, uid, name, $3, $4, 'builtin', process_generation, $5, '1', 'boot', now() from instances where uid = $2`,
    [id, uid, node, port, pid],
  );
  return id;
}

/** A change of phase with its event, as the process controller writes it. */
export async function writePhase(pool: Pool, uid: string, to: Phase, attemptId: string | null = null): Promise<void> {
  await transaction(pool, async tx => {
    await tx.query('select from instances where uid = $1 for share', [uid]);
    const { rows } = await tx.query<{ phase: Phase }>('select phase from statuses where instance_uid = $1', [uid]);
    await tx.query(
      `insert into events (instance_uid, instance_name, controller, node, reason, from_phase, to_phase, message)
       select uid, name, 'process', 'node', 'Spawning', $2, $3, '' from instances where uid = $1 and $2 <> $3`,
      [uid, rows[0]?.phase ?? 'Pending', to],
    );
    await tx.query(
      `insert into statuses (instance_uid, phase, attempt_id, observed_generation, started_at, next_start_at)
       values ($1, $2, $3, 1, now(), case when $2 = 'Backoff' then now() end)
       on conflict (instance_uid) do update set phase = excluded.phase, attempt_id = excluded.attempt_id,
         next_start_at = excluded.next_start_at`,
      [uid, to, attemptId],
    );
  });
}

/** Lets a lease be over by now. */
export async function endLeaseNow(pool: Pool, name: string): Promise<void> {
  await pool.query(`update instances set expires_at = now() - interval '1 second' where name = $1`, [name]);
}
