import type { Queryable } from './pool.ts';
import type { Phase } from '../../specs/phase.ts';

/** What the scheduler decides on, for one instance. */
export interface PlacementRow {
  readonly uid: string;
  readonly name: string;
  readonly wanted: boolean;
  readonly phase: Phase;
  /** It has an attempt that is not closed. */
  readonly live: boolean;
  readonly node: string | null;
  readonly port: number | null;
  readonly conflicted: boolean;
  /** The place of its last attempt that met no conflict there: it gets it again when it is free. */
  readonly last_node: string | null;
  readonly last_port: number | null;
}

const select = `
  select i.uid, i.name, coalesce(s.phase, 'Pending') as phase,
    (i.running and i.deletion_requested_at is null and (i.expires_at is null or i.expires_at > now())) as wanted,
    exists (select from attempts a where a.instance_uid = i.uid and a.ended_at is null) as live,
    p.node, p.port, l.node as last_node, l.port as last_port,
    exists (
      select from attempts c where c.instance_uid = i.uid and c.end_reason = 'PortConflict'
        and c.node = p.node and c.port = p.port and c.ended_at > p.placed_at) as conflicted
  from instances i
  left join statuses s on s.instance_uid = i.uid
  left join placements p on p.instance_uid = i.uid
  left join lateral (
    select node, port from attempts a where a.instance_uid = i.uid and a.end_reason is distinct from 'PortConflict'
    order by began_at desc limit 1
  ) l on p.instance_uid is null`;

export async function readPlacement(db: Queryable, uid: string): Promise<PlacementRow | null> {
  const { rows } = await db.query<PlacementRow>(`${select} where i.uid = $1`, [uid]);
  return rows[0] ?? null;
}

/** Instances whose place may have to change: wanted without one, with a conflict, or at rest with one. */
export async function readUnsettled(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<{ uid: string }>(`
    select i.uid from instances i
    left join statuses s on s.instance_uid = i.uid
    left join placements p on p.instance_uid = i.uid
    where (p.instance_uid is null and i.running and i.deletion_requested_at is null
        and (i.expires_at is null or i.expires_at > now()))
      or (p.instance_uid is not null and (s.phase in ('Stopped', 'Expired') or s.conditions @> '[{"type": "PortConflict"}]'))`);
  return rows.map(row => row.uid);
}

export interface NodePorts {
  readonly name: string;
  readonly instance_host: string;
  readonly port_from: number;
  readonly port_to: number;
  readonly instances: number;
  readonly placed: number[];
  /** Free, but so lately in use that a late client may still come. */
  readonly cooling: number[];
}

/** Living nodes, the emptiest first, and the ports that are not free there. */
export async function readNodePorts(db: Queryable, staleMs: number, cooldownMs: number): Promise<NodePorts[]> {
  const { rows } = await db.query<NodePorts>(
    `select n.name, n.instance_host, n.port_from, n.port_to,
       (select count(*) from placements p where p.node = n.name)::int as instances,
       array(select p.port from placements p where p.node = n.name) as placed,
       array(
         select a.port from attempts a
         where a.node = n.name and a.ended_at > now() - make_interval(secs => $2::double precision / 1000)
       ) as cooling
     from nodes n where n.heartbeat_at > now() - make_interval(secs => $1::double precision / 1000)
     order by instances, n.name`,
    [staleMs, cooldownMs],
  );
  return rows;
}

/** Takes the instance's lock as everybody does before its facts; false when it is gone. */
export async function lockForPlacement(db: Queryable, uid: string): Promise<boolean> {
  const { rowCount } = await db.query('select from instances where uid = $1 for share', [uid]);
  return rowCount === 1;
}

/** Puts an instance on a port if its place is still what was decided on; false when somebody was faster. */
export async function placeInstance(
  db: Queryable,
  row: Pick<PlacementRow, 'uid' | 'node' | 'port'>,
  node: string,
  port: number,
): Promise<boolean> {
  const { rowCount } = await db.query(
    row.node === null
      ? `insert into placements (instance_uid, node, port) select $1, $2, $3
         where not exists (select from placements where node = $2 and port = $3)
           and $4::text is null and $5::integer is null
         on conflict (instance_uid) do nothing`
      : `update placements set node = $2, port = $3, placed_at = now()
         where instance_uid = $1 and node = $4 and port = $5
           and not exists (select from placements where node = $2 and port = $3)`,
    [row.uid, node, port, row.node, row.port],
  );
  return rowCount === 1;
}

/** Takes the place back from an instance that still is at rest. */
export async function releasePlacement(db: Queryable, uid: string): Promise<boolean> {
  const { rowCount } = await db.query(
    `delete from placements p using instances i, statuses s
     where p.instance_uid = $1 and i.uid = p.instance_uid and s.instance_uid = p.instance_uid
       and s.phase in ('Stopped', 'Expired')
       and not (i.running and i.deletion_requested_at is null and (i.expires_at is null or i.expires_at > now()))
       and not exists (select from attempts a where a.instance_uid = i.uid and a.ended_at is null)`,
    [uid],
  );
  return rowCount === 1;
}
