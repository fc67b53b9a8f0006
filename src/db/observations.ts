import type { ToolHash } from '../../specs/assignment.ts';
import type { Queryable } from './pool.ts';
import { storableJson, storableText } from './storable.ts';

export interface ProbeWrite {
  readonly attemptId: string;
  readonly ready: boolean;
  readonly message: string;
}

/** Records what a probe found; `changed_at` moves only when `ready` does. */
export async function recordProbe(db: Queryable, probe: ProbeWrite): Promise<void> {
  await db.query(
    `insert into observations as o (attempt_id, instance_uid, ready, message)
     select a.id, a.instance_uid, $2, $3 from attempts a where a.id = $1 and a.ended_at is null
     on conflict (attempt_id) do update set
       ready = excluded.ready, message = excluded.message,
       changed_at = case when o.ready = excluded.ready then o.changed_at else now() end
     where o.ready <> excluded.ready or o.message <> excluded.message`,
    [probe.attemptId, probe.ready, storableText(probe.message)],
  );
}

/** Records the tools that a host was seen with; the same ones again are not written. */
export async function recordTools(
  db: Queryable,
  attemptId: string,
  hash: string,
  tools: readonly ToolHash[],
): Promise<void> {
  await db.query(
    `update observations set tools_hash = $2, tools = $3
     where attempt_id = $1 and tools_hash is distinct from $2`,
    [attemptId, hash, storableJson(tools)],
  );
}

export interface UsageWrite {
  readonly attemptId: string;
  /** Cores. */
  readonly cpu: number | null;
  readonly memoryBytes: number | null;
  readonly requests: number;
  readonly lastAccessedMsAgo: number | null;
}

/** Records what was measured, all in one statement. */
export async function recordUsage(db: Queryable, usages: readonly UsageWrite[]): Promise<void> {
  await db.query(
    `update observations o set cpu = u.cpu, memory_bytes = u.memory_bytes, requests = u.requests,
       last_accessed_at = case when u.ago is null then o.last_accessed_at
         else now() - make_interval(secs => u.ago / 1000) end,
       measured_at = now()
     from unnest($1::uuid[], $2::real[], $3::bigint[], $4::bigint[], $5::double precision[])
       as u (attempt_id, cpu, memory_bytes, requests, ago)
     where o.attempt_id = u.attempt_id`,
    [
      usages.map(usage => usage.attemptId),
      usages.map(usage => usage.cpu),
      usages.map(usage => usage.memoryBytes),
      usages.map(usage => usage.requests),
      usages.map(usage => usage.lastAccessedMsAgo),
    ],
  );
}
