import type { Condition, Phase } from '../../specs/phase.ts';
import type { LastExit, Resources, RestartPolicy } from '../../specs/instance.ts';
import type { Queryable } from './pool.ts';

/** Everything the process controller's decision stands on, read in one statement. Times are the database's. */
export interface InstanceRow {
  readonly now: Date;
  readonly uid: string;
  readonly name: string;
  readonly type: string;
  /** JSON; null = built in, or gone. The instances that are read together share one text. */
  readonly type_manifest: string | null;
  /** A hash over what the type makes processes of; null = built in, or gone. */
  readonly type_program: string | null;
  /** What failed last was made of; only while it backs off. */
  readonly last_type_program: string | null;
  readonly config: Record<string, unknown>;
  readonly generation: number;
  readonly process_generation: number;
  readonly running: boolean;
  readonly restart: RestartPolicy;
  readonly resources: Resources;
  readonly expires_at: Date | null;
  /** The expiry controller has found this very lease ended. */
  readonly expired: boolean;
  readonly deleting: boolean;
  readonly token_version: number | null;
  readonly updated_at: Date;
  readonly api_key: string | null;
  readonly key_type: string | null;
  readonly key_version: number | null;
  /** The names of its values; null = not known. */
  readonly key_fields: string[] | null;
  readonly placement_node: string | null;
  readonly placement_port: number | null;
  readonly placed_at: Date | null;
  readonly phase: Phase;
  readonly observed_generation: number;
  readonly conditions: Condition[];
  readonly restart_count: number;
  readonly backoff_step: number;
  readonly held_generation: number | null;
  readonly next_start_at: Date | null;
  readonly ready_at: Date | null;
  readonly last_exit: LastExit | null;
  readonly attempt: AttemptRow | null;
  /** When an attempt last found a stranger on the placed port. */
  readonly conflict_at: Date | null;
  readonly health: { ready: boolean; message: string; changed_at: string } | null;
  /** Hashes of the tool list: of the live attempt as last seen, and as last known for the instance. */
  readonly tools_seen: string | null;
  readonly tools_known: string | null;
}

export interface AttemptRow {
  readonly id: string;
  readonly node: string;
  readonly port: number;
  readonly process_generation: number;
  readonly key_version: number | null;
  readonly type_program: string | null;
  readonly lease_expires_at: string | null;
  readonly token_version: number | null;
  readonly began_at: string;
  readonly pid: number | null;
  readonly start_time: string | null;
  readonly boot_id: string | null;
  readonly spawned_at: string | null;
  readonly stopping_at: string | null;
  readonly stop_reason: string | null;
  readonly killed_at: string | null;
}

const select = `
  select
    now() as now, i.uid, i.name, i.type, i.config, i.generation, i.process_generation, i.running, i.restart, i.resources,
    i.expires_at, (e.instance_uid is not null) as expired, (i.deletion_requested_at is not null) as deleting,
    t.version as token_version, i.updated_at, i.api_key, k.type as key_type, k.version as key_version,
    k.fields as key_fields, y.program_hash as type_program,
    -- Once for all instances of a type: it may be long.
    case when row_number() over (partition by i.type) = 1 then y.manifest::text end as type_manifest,
    case when y.name is null then null when coalesce(s.phase, 'Pending') <> 'Backoff' then y.program_hash else (
      select x.type_program from attempts x where x.instance_uid = i.uid order by x.began_at desc limit 1
    ) end as last_type_program,
    p.node as placement_node, p.port as placement_port, p.placed_at,
    coalesce(s.phase, 'Pending') as phase, coalesce(s.observed_generation, 0) as observed_generation,
    coalesce(s.conditions, '[]') as conditions, coalesce(s.restart_count, 0) as restart_count,
    coalesce(s.backoff_step, 0) as backoff_step, s.held_generation, s.next_start_at, s.ready_at, s.last_exit,
    to_jsonb(a) as attempt, c.ended_at as conflict_at,
    case when o.attempt_id is not null then
      jsonb_build_object('ready', o.ready, 'message', o.message, 'changed_at', o.changed_at) end as health,
    o.tools_hash as tools_seen, tl.hash as tools_known
  from instances i
  left join expiries e on e.instance_uid = i.uid and e.expires_at = i.expires_at
  left join instance_tokens t on t.instance_uid = i.uid
  left join api_keys k on k.name = i.api_key
  left join types y on y.name = i.type
  left join placements p on p.instance_uid = i.uid
  left join statuses s on s.instance_uid = i.uid
  left join attempts a on a.instance_uid = i.uid and a.ended_at is null
  left join observations o on o.attempt_id = a.id
  left join tool_lists tl on tl.instance_uid = i.uid
  left join lateral (
    select max(ended_at) as ended_at from attempts x
    where x.instance_uid = i.uid and x.end_reason = 'PortConflict' and x.node = p.node and x.port = p.port
  ) c on p.instance_uid is not null`;

// What this node answers for: its own, and what has no place and no process yet.
const mine = `coalesce(a.node, p.node, $1) = $1`;

/** One instance as this node has to see it; null when it is gone or another node's. */
export async function readInstance(db: Queryable, node: string, uid: string): Promise<InstanceRow | null> {
  const { rows } = await db.query<InstanceRow>(`${select} where ${mine} and i.uid = $2`, [node, uid]);
  return rows[0] ?? null;
}

/** All of them, for a rescan. */
export async function readInstances(db: Queryable, node: string): Promise<InstanceRow[]> {
  const { rows } = await db.query<InstanceRow>(`${select} where ${mine}`, [node]);
  const manifests = new Map(rows.filter(row => row.type_manifest !== null).map(row => [row.type, row.type_manifest]));
  return rows.map(row => ({ ...row, type_manifest: manifests.get(row.type) ?? null }));
}

/** Instances that refer to an api key. */
export async function readKeyUsers(db: Queryable, apiKey: string): Promise<string[]> {
  const { rows } = await db.query<{ uid: string }>('select uid from instances where api_key = $1', [apiKey]);
  return rows.map(row => row.uid);
}

/** Instances of a type. */
export async function readInstancesOfType(db: Queryable, type: string): Promise<string[]> {
  const { rows } = await db.query<{ uid: string }>('select uid from instances where type = $1', [type]);
  return rows.map(row => row.uid);
}

/** Which of these instances no longer exist. */
export async function readGoneInstances(db: Queryable, uids: readonly string[]): Promise<string[]> {
  const { rows } = await db.query<{ uid: string }>(
    `select x.uid from unnest($1::uuid[]) as x (uid) left join instances i on i.uid = x.uid where i.uid is null`,
    [uids],
  );
  return rows.map(row => row.uid);
}
