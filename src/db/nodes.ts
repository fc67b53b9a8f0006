import type { Controller, ControllerStats, Node } from '../../specs/node.ts';
import type { Queryable } from './pool.ts';

/** A node or controller whose last heartbeat is older than this is not believed any more. */
export const staleAfter = "interval '30 seconds'";

interface NodeRow {
  readonly name: string;
  readonly runtime: string;
  readonly instance_host: string;
  readonly port_from: number;
  readonly port_to: number;
  readonly version: string;
  readonly epoch: number;
  readonly heartbeat_at: Date;
  readonly alive: boolean;
  readonly instances: number;
}

/** Every node that ever registered, by name, with the number of instances placed on it. */
export async function readNodes(db: Queryable): Promise<Node[]> {
  const { rows } = await db.query<NodeRow>(
    `select n.name, n.runtime, n.instance_host, n.port_from, n.port_to, n.version, n.epoch, n.heartbeat_at,
       n.heartbeat_at >= now() - ${staleAfter} as alive, coalesce(p.instances, 0) as instances
     from nodes n
     left join (select node, count(*) as instances from placements group by node) p on p.node = n.name
     order by n.name`,
  );
  return rows.map(row => ({
    name: row.name,
    runtime: row.runtime,
    instanceHost: row.instance_host,
    portRange: `${row.port_from}-${row.port_to}`,
    version: row.version,
    epoch: row.epoch,
    heartbeatAt: row.heartbeat_at.toISOString(),
    alive: row.alive,
    instances: row.instances,
  }));
}

interface ControllerRow {
  readonly name: string;
  readonly node: string;
  readonly pid: number;
  readonly started_at: Date;
  readonly heartbeat_at: Date;
  readonly alive: boolean;
  readonly stats: Partial<ControllerStats>;
}

const noStats: ControllerStats = {
  reconciles: 0,
  errors: 0,
  queued: 0,
  lastReconcileAt: null,
  lastActionAt: null,
  lastAction: null,
  lastError: null,
};

/** Every controller of every node, by node and name, with what it last said about itself. */
export async function readControllers(db: Queryable): Promise<Controller[]> {
  const { rows } = await db.query<ControllerRow>(
    `select name, node, pid, started_at, heartbeat_at, heartbeat_at >= now() - ${staleAfter} as alive, stats
     from controllers order by node, name`,
  );
  return rows.map(row => ({
    name: row.name,
    node: row.node,
    pid: row.pid,
    startedAt: row.started_at.toISOString(),
    heartbeatAt: row.heartbeat_at.toISOString(),
    alive: row.alive,
    stats: { ...noStats, ...row.stats },
  }));
}
