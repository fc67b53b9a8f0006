import type { ControllerStats } from '../../specs/node.ts';
import { only } from './pool.ts';
import type { Queryable } from './pool.ts';

export interface NodeBeat {
  readonly name: string;
  readonly runtime: string;
  readonly instanceHost: string;
  readonly portFrom: number;
  readonly portTo: number;
  readonly bootId: string;
  readonly version: string;
}

/**
 * Makes a process the node's holder; null = done. Else the holder that lives, by its heartbeat, and stays it.
 */
export async function claimNode(
  db: Queryable,
  node: NodeBeat,
  holder: string,
  staleMs: number,
): Promise<string | null> {
  const { rows } = await db.query<{ holder: string }>(
    `with claimed as (
       insert into nodes as n (name, runtime, instance_host, port_from, port_to, boot_id, version, holder)
       values ($1, $2, $3, $4, $5, $6, $7, $8)
       on conflict (name) do update set holder = excluded.holder, epoch = n.epoch + 1, heartbeat_at = now()
       where n.holder is null or n.holder = excluded.holder
         or n.heartbeat_at < now() - make_interval(secs => $9::double precision / 1000)
       returning name
     )
     select holder from nodes where name = $1 and not exists (select from claimed) and holder is not null`,
    [...values(node), holder, staleMs],
  );
  return rows[0]?.holder ?? null;
}

/** Gives the node up, if it is that process's. */
export async function releaseNode(db: Queryable, name: string, holder: string): Promise<void> {
  await db.query('update nodes set holder = null where name = $1 and holder = $2', [name, holder]);
}

/** Renews the node's heartbeat: one row, whatever runs there. False = the node is another process's by now. */
export async function beatNode(db: Queryable, node: NodeBeat, holder: string): Promise<boolean> {
  const { rowCount } = await db.query(
    `update nodes set runtime = $2, instance_host = $3, port_from = $4, port_to = $5, boot_id = $6, version = $7,
       heartbeat_at = now()
     where name = $1 and holder = $8`,
    [...values(node), holder],
  );
  return rowCount === 1;
}

function values(node: NodeBeat): unknown[] {
  return [node.name, node.runtime, node.instanceHost, node.portFrom, node.portTo, node.bootId, node.version];
}

/** What each controller of this process last did, in one statement. */
export async function beatControllers(
  db: Queryable,
  node: string,
  pid: number,
  controllers: readonly { name: string; stats: ControllerStats }[],
): Promise<void> {
  await db.query(
    `insert into controllers as c (node, name, pid, stats)
     select $1, x.name, $2, x.stats from unnest($3::text[], $4::jsonb[]) as x (name, stats)
     on conflict (node, name) do update set
       stats = excluded.stats, heartbeat_at = now(), pid = excluded.pid,
       started_at = case when c.pid = excluded.pid then c.started_at else now() end`,
    [node, pid, controllers.map(c => c.name), controllers.map(c => JSON.stringify(c.stats))],
  );
}

/** The id that marks this installation's processes. */
export async function readInstallation(db: Queryable): Promise<string> {
  const { rows } = await db.query<{ uid: string }>('select uid from installation');
  return only(rows).uid;
}
