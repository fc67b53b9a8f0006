import type { ToolHash } from '../../specs/assignment.ts';
import type { Queryable } from './pool.ts';

export interface SeenTools {
  readonly hash: string;
  readonly tools: readonly ToolHash[];
}

export interface KnownTools extends SeenTools {
  /** Over what the process that had them was made of. */
  readonly spec_hash: string;
}

/** What the live attempt was last seen with; null = nothing yet. */
export async function readSeenTools(db: Queryable, attemptId: string): Promise<SeenTools | null> {
  const { rows } = await db.query<SeenTools>(
    `select o.tools_hash as hash, o.tools
     from observations o join attempts a on a.id = o.attempt_id
     where o.attempt_id = $1 and o.tools_hash is not null and a.ended_at is null`,
    [attemptId],
  );
  return rows[0] ?? null;
}

/** What the instance was last known for; null = nothing yet. */
export async function readKnownTools(db: Queryable, instanceUid: string): Promise<KnownTools | null> {
  const { rows } = await db.query<KnownTools>('select hash, tools, spec_hash from tool_lists where instance_uid = $1', [
    instanceUid,
  ]);
  return rows[0] ?? null;
}

/** Makes the list the one that the instance is known for. */
export async function writeKnownTools(db: Queryable, instanceUid: string, list: KnownTools): Promise<void> {
  await db.query(
    `insert into tool_lists (instance_uid, hash, tools, spec_hash) values ($1, $2, $3, $4)
     on conflict (instance_uid) do update set
       hash = excluded.hash, tools = excluded.tools, spec_hash = excluded.spec_hash,
       changed_at = now()`,
    [instanceUid, list.hash, JSON.stringify(list.tools), list.spec_hash],
  );
}
