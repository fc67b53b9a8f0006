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

/** Registers the node or renews its heartbeat: one row, whatever runs there. */
export async function beatNode(db: Queryable, node: NodeBeat): Promise<void> {
  await db.query(
    `insert into nodes (name, runtime, instance_host, port_from, port_to, boot_id, version)
     values ($1, $2, $3, $4, $5, $6, $7)
     on conflict (name) do update set
       runtime = excluded.runtime, instance_host = excluded.instance_host, port_from = excluded.port_from,
       port_to = excluded.port_to, boot_id = excluded.boot_id, version = excluded.version, heartbeat_at = now()`,
    [node.name, node.runtime, node.instanceHost, node.portFrom, node.portTo, node.bootId, node.version],
  );
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
