import { loopbackOfAll } from '../../specs/address.ts';
import { livePhases } from '../../specs/phase.ts';
import type { Condition, Phase } from '../../specs/phase.ts';
import type { Instance, LastExit, Resources, RestartPolicy } from '../../specs/instance.ts';
import type { Labels } from '../../specs/name.ts';
import { staleAfter } from './nodes.ts';
import type { Queryable } from './pool.ts';

/** Everything that a reader is told about an instance, as one row. */
export interface InstanceViewRow {
  readonly uid: string;
  readonly name: string;
  readonly labels: Labels;
  readonly generation: number;
  readonly resource_version: number;
  readonly created_at: Date;
  readonly deletion_requested_at: Date | null;
  readonly type: string;
  readonly api_key: string | null;
  readonly config: Record<string, unknown>;
  readonly expires_at: Date | null;
  readonly running: boolean;
  readonly restart: RestartPolicy;
  readonly resources: Resources;
  readonly observed_generation: number | null;
  readonly phase: Phase;
  readonly conditions: Condition[] | null;
  readonly node: string | null;
  readonly instance_host: string | null;
  readonly port: number | null;
  readonly pid: number | null;
  readonly started_at: Date | null;
  readonly ready_at: Date | null;
  readonly expired_at: Date | null;
  readonly last_accessed_at: Date | null;
  readonly requests: number | null;
  readonly restart_count: number | null;
  readonly next_start_at: Date | null;
  readonly last_exit: LastExit | null;
  readonly cpu: number | null;
  readonly memory_bytes: number | null;
}

const live = livePhases.map(phase => `'${phase}'`).join(', ');

/** The phase as a reader is told it; needs the aliases of `viewJoins`. */
export const phaseColumn = `case
    when s.phase in (${live}) and (n.name is null or n.heartbeat_at < now() - ${staleAfter}) then 'Unknown'
    else coalesce(s.phase, 'Pending')
  end`;

/** Columns of `InstanceViewRow` from `instances i`, `changes c` and what `viewJoins` adds. */
export const viewColumns = `i.uid, i.name, i.labels, i.generation, c.resource_version, i.created_at,
  i.deletion_requested_at, i.type, i.api_key, i.config, i.expires_at, i.running, i.restart, i.resources,
  s.observed_generation, ${phaseColumn} as phase, s.conditions, l.node, l.port, n.instance_host, a.pid, s.started_at,
  s.ready_at, e.expired_at, a.requests, s.restart_count, s.next_start_at, s.last_exit, a.cpu, a.memory_bytes,
  -- A process that nobody has asked anything yet does not hide when its predecessor was last asked.
  coalesce(a.last_accessed_at, (
    select max(o.last_accessed_at)
    from (select id from attempts x where x.instance_uid = i.uid order by began_at desc limit 5) x
    join observations o on o.attempt_id = x.id
  )) as last_accessed_at`;

/**
 * At most one row of `source` beside each row. Lateral and with an offset, so that a page of a hundred costs a
 * hundred look-ups: left to itself the planner hashes whole tables for it, and plans for longer than that takes.
 */
function beside(alias: string, source: string): string {
  return `left join lateral (${source} offset 0) ${alias} on true`;
}

/** The version that goes with `instances i`. */
export const versionJoin = beside('c', 'select resource_version from changes where instance_uid = i.uid');

/** Joins to `instances i` what the columns need. Where it is: the process that exists, else the place it was given. */
export const viewJoins = [
  beside('s', 'select * from statuses where instance_uid = i.uid'),
  beside('p', 'select node, port from placements where instance_uid = i.uid'),
  beside(
    'a',
    `select x.id, x.node, x.port, x.pid, o.requests, o.last_accessed_at, o.cpu, o.memory_bytes
     from attempts x left join observations o on o.attempt_id = x.id
     where x.instance_uid = i.uid and x.ended_at is null`,
  ),
  beside('n', 'select name, instance_host, heartbeat_at from nodes where name = coalesce(a.node, p.node)'),
  beside('e', 'select expired_at from expiries where instance_uid = i.uid and expires_at = i.expires_at'),
  // Nowhere once it has ended.
  `left join lateral (
    select coalesce(a.node, p.node) as node, coalesce(a.port, p.port) as port
    where s.phase is null or s.phase not in ('Stopped', 'Expired')
  ) l on true`,
].join('\n  ');

/** One instance by name; null when there is none. */
export async function readInstanceByName(db: Queryable, name: string): Promise<InstanceViewRow | null> {
  const { rows } = await db.query<InstanceViewRow>({
    // Prepared: planning so many joins takes longer than running them.
    name: 'instance-by-name',
    text: `select ${viewColumns} from instances i ${versionJoin} ${viewJoins} where i.name = $1`,
    values: [name],
  });
  return rows[0] ?? null;
}

/** Where clients reach an instance: of one that listens on every address, where those of its machine do. */
function instanceUrl(host: string, port: number): string {
  const address = loopbackOfAll(host) ?? host;
  return `http://${address.includes(':') ? `[${address}]` : address}:${port}/mcp`;
}

export function toInstance(row: InstanceViewRow): Instance {
  return {
    metadata: {
      name: row.name,
      uid: row.uid,
      labels: row.labels,
      generation: row.generation,
      resourceVersion: String(row.resource_version),
      createdAt: row.created_at.toISOString(),
      deletionRequestedAt: isoOrNull(row.deletion_requested_at),
    },
    spec: {
      type: row.type,
      apiKey: row.api_key,
      config: row.config,
      expiresAt: isoOrNull(row.expires_at),
      running: row.running,
      restart: row.restart,
      resources: row.resources,
    },
    status: {
      observedGeneration: row.observed_generation ?? 0,
      phase: row.phase,
      conditions: row.conditions ?? [],
      node: row.node,
      port: row.port,
      pid: row.pid,
      url: row.instance_host === null || row.port === null ? null : instanceUrl(row.instance_host, row.port),
      startedAt: isoOrNull(row.started_at),
      readyAt: isoOrNull(row.ready_at),
      expiredAt: isoOrNull(row.expired_at),
      lastAccessedAt: isoOrNull(row.last_accessed_at),
      requestCount: row.requests ?? 0,
      restartCount: row.restart_count ?? 0,
      nextStartAt: isoOrNull(row.next_start_at),
      lastExit: row.last_exit,
      usage: row.cpu === null || row.memory_bytes === null ? null : { cpu: row.cpu, memoryBytes: row.memory_bytes },
    },
  };
}

function isoOrNull(time: Date | null): string | null {
  return time === null ? null : time.toISOString();
}
