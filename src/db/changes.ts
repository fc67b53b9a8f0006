import type { Labels } from '../../specs/name.ts';
import { viewColumns, viewJoins } from './instance-view.ts';
import type { InstanceViewRow } from './instance-view.ts';
import { staleAfter } from './nodes.ts';
import type { Queryable } from './pool.ts';

/** How far the history of changes is complete. */
export interface HistoryRow {
  /** Every transaction up to this one has ended: whoever read up to here can resume here without a gap. */
  readonly complete: number;
  /** The first transaction id that nobody has yet: a position from there on comes from another history. */
  readonly next: number;
  /** The youngest version whose tombstone is gone. */
  readonly horizon: number;
  /** Something committed is still above `complete`, because an older transaction runs. Look again soon. */
  readonly pending: boolean;
}

/** Where the history of instances stands. */
export async function readHistory(db: Queryable): Promise<HistoryRow> {
  const { rows } = await db.query<HistoryRow>(
    `select pg_snapshot_xmin(s)::text::bigint - 1 as complete, pg_snapshot_xmax(s)::text::bigint as next,
       (select resource_version from watch_horizon) as horizon,
       exists (select from changes where resource_version >= pg_snapshot_xmin(s)::text::bigint) as pending
     from pg_current_snapshot() s`,
  );
  return rows[0]!;
}

/** The last change of one instance: what it is now, or its tombstone. */
export interface ChangeRow {
  readonly instance_uid: string;
  readonly instance_name: string;
  readonly version: number;
  readonly created_version: number;
  readonly deleted_at: Date | null;
  readonly tombstone_labels: Labels;
  /** Null when it is deleted. */
  readonly instance: InstanceViewRow | null;
}

type FlatRow = Omit<ChangeRow, 'instance'> & {
  readonly [column in keyof InstanceViewRow]: InstanceViewRow[column] | null;
};

export interface ChangePosition {
  readonly version: number;
  /** Of the objects with that version, those up to this uid are known already; null = all of them. */
  readonly uid: string | null;
}

const allUids = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/**
 * Changes after a position and up to the version `upTo`, oldest first. Each instance has one row, with its
 * last change, so what a reader has seen and is changed again comes again, later.
 */
export async function readChanges(
  db: Queryable,
  after: ChangePosition,
  upTo: number,
  limit: number,
): Promise<ChangeRow[]> {
  const { rows } = await db.query<FlatRow>({
    name: 'changes-page',
    text: `select c.instance_uid, c.instance_name, c.resource_version as version, c.created_version, c.deleted_at,
       c.labels as tombstone_labels, ${viewColumns}
     from (
       select * from changes
       where (resource_version, instance_uid) > ($1, $2) and resource_version <= $3
       order by resource_version, instance_uid limit $4
     ) c
     left join lateral (select * from instances where uid = c.instance_uid offset 0) i on true
     ${viewJoins}
     order by c.resource_version, c.instance_uid`,
    values: [after.version, after.uid ?? allUids, upTo, limit],
  });
  return rows.map(row => ({ ...row, instance: row.uid === null ? null : (row as InstanceViewRow) }));
}

/** The uid that events of a name are kept under: the present instance's, else of the last one with a tombstone. */
export async function readUidByName(db: Queryable, name: string): Promise<string | null> {
  const { rows } = await db.query<{ instance_uid: string }>(
    `select instance_uid from changes where instance_name = $1 order by deleted_at desc nulls first limit 1`,
    [name],
  );
  return rows[0]?.instance_uid ?? null;
}

/** A row with what its node was taken for when it was read. */
export interface NodeChangeRow extends ChangeRow {
  readonly node_name: string;
  readonly node_alive: boolean;
}

/** What runs on these nodes, as it reads now: a heartbeat that stops or returns changes phases without a write. */
export async function readChangesOfNodes(db: Queryable, nodes: readonly string[]): Promise<NodeChangeRow[]> {
  const { rows } = await db.query<FlatRow & { node_name: string; node_alive: boolean }>(
    `select c.instance_uid, c.instance_name, c.resource_version as version, c.created_version, c.deleted_at,
       c.labels as tombstone_labels, n.name as node_name, n.heartbeat_at >= now() - ${staleAfter} as node_alive,
       ${viewColumns}
     from changes c join instances i on i.uid = c.instance_uid ${viewJoins}
     where n.name = any($1)`,
    [nodes],
  );
  return rows.map(row => ({ ...row, instance: row as InstanceViewRow }));
}
