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
const phase = `case
    when s.phase in (${live}) and (n.name is null or n.heartbeat_at < now() - ${staleAfter}) then 'Unknown'
    else coalesce(s.phase, 'Pending')
  end`;

/** Columns of `InstanceViewRow` from `instances i`, `changes c` and what `viewJoins` adds. */
export const viewColumns = `i.uid, i.name, i.labels, i.generation, c.resource_version, i.created_at,
  i.deletion_requested_at, i.type, i.api_key, i.config, i.expires_at, i.running, i.restart, i.resources,
  s.observed_generation, ${phase} as phase, s.conditions, l.node, l.port, n.instance_host, a.pid, s.started_at,
  s.ready_at, e.expired_at, a.requests, s.restart_count, s.next_start_at, s.last_exit, a.cpu, a.memory_bytes,
  -- A process that nobody has asked anything yet does not hide when its predecessor was last asked.
  coalesce(a.last_accessed_at, (
    select max(o.last_accessed_at)
    from (select id from attempts x where x.instance_uid = i.uid order by began_at desc limit 5) x
    join observations o on o.attempt_id = x.id
  )) as last_accessed_at`;

// Where it is: the process that exists, else the place it was given; nowhere once it has ended.
const phaseJoins = `
  left join statuses s on s.instance_uid = i.uid
  left join placements p on p.instance_uid = i.uid
  left join (
    select x.instance_uid, x.node, x.port, x.pid, o.requests, o.last_accessed_at, o.cpu, o.memory_bytes
    from attempts x left join observations o on o.attempt_id = x.id
    where x.ended_at is null
  ) a on a.instance_uid = i.uid
  left join nodes n on n.name = coalesce(a.node, p.node)`;

/** Joins to `instances i` what the columns need; every one is at most one row. */
export const viewJoins = `${phaseJoins}
  left join expiries e on e.instance_uid = i.uid and e.expires_at = i.expires_at
  left join lateral (
    select coalesce(a.node, p.node) as node, coalesce(a.port, p.port) as port
    where s.phase is null or s.phase not in ('Stopped', 'Expired')
  ) l on true`;

/** What a list may be narrowed to; null = no matter. */
export interface InstanceFilter {
  readonly type: string | null;
  readonly phase: Phase | null;
  /** All of them must be there. */
  readonly labels: Labels;
  /** Part of the name. */
  readonly q: string | null;
}

/** One instance by name; null when there is none. */
export async function readInstanceByName(db: Queryable, name: string): Promise<InstanceViewRow | null> {
  const { rows } = await db.query<InstanceViewRow>(
    `select ${viewColumns} from instances i join changes c on c.instance_uid = i.uid ${viewJoins} where i.name = $1`,
    [name],
  );
  return rows[0] ?? null;
}

/** The next instances by name after `after`. The page is chosen first, so that joins cost a page, not the table. */
export async function readInstancePage(
  db: Queryable,
  filter: InstanceFilter,
  after: string,
  limit: number,
): Promise<InstanceViewRow[]> {
  const conditions = ['i.name > $1'];
  const parameters: unknown[] = [after, limit];
  const where = (condition: (parameter: string) => string, value: unknown): void => {
    parameters.push(value);
    conditions.push(condition(`$${parameters.length}`));
  };
  if (filter.type !== null) where(parameter => `i.type = ${parameter}`, filter.type);
  if (filter.q !== null) where(parameter => `strpos(i.name, ${parameter}) > 0`, filter.q);
  if (Object.keys(filter.labels).length > 0) {
    where(parameter => `i.labels @> ${parameter}::jsonb`, JSON.stringify(filter.labels));
  }
  if (filter.phase !== null) where(parameter => `${phase} = ${parameter}`, filter.phase);
  const { rows } = await db.query<InstanceViewRow>(
    `select ${viewColumns}
     from (
       select i.* from instances i ${filter.phase === null ? '' : phaseJoins}
       where ${conditions.join(' and ')} order by i.name limit $2
     ) i
     join changes c on c.instance_uid = i.uid ${viewJoins}
     order by i.name`,
    parameters,
  );
  return rows;
}

/** The same question for a row that is at hand. */
export function matchesFilter(row: InstanceViewRow, filter: InstanceFilter): boolean {
  return (
    (filter.type === null || row.type === filter.type) &&
    (filter.phase === null || row.phase === filter.phase) &&
    (filter.q === null || row.name.includes(filter.q)) &&
    Object.entries(filter.labels).every(([name, value]) => row.labels[name] === value)
  );
}

/** Where clients reach an instance. */
export function instanceUrl(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}/mcp`;
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
