import type { Event, EventReason } from '../../specs/event.ts';
import type { Phase } from '../../specs/phase.ts';
import type { Queryable } from './pool.ts';
import { storableJson, storableText } from './storable.ts';

export interface NewEvent {
  readonly instanceUid: string;
  readonly instanceName: string;
  readonly controller: string;
  readonly node: string | null;
  readonly reason: EventReason;
  /** Both set exactly when the event is a change of phase; `Declared` has no from, `Deleted` no to. */
  readonly from: Phase | null;
  readonly to: Phase | null;
  readonly message: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** Appends one event, in the transaction of the change that it tells. */
export async function appendEvent(db: Queryable, event: NewEvent): Promise<void> {
  await db.query(
    `insert into events (instance_uid, instance_name, controller, node, reason, from_phase, to_phase, message, data)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      event.instanceUid,
      event.instanceName,
      event.controller,
      event.node,
      event.reason,
      event.from,
      event.to,
      storableText(event.message),
      storableJson(event.data ?? {}),
    ],
  );
}

/** Order of commits: all transactions below pg_snapshot_xmin() have ended, so a reader who stops there misses nothing. */
export interface EventPosition {
  readonly xid: number;
  /** Of that transaction, events up to this one are known already. */
  readonly id: number;
}

/** The end of a transaction's events. */
export const lastId = Number.MAX_SAFE_INTEGER;

export interface EventRow {
  readonly id: number;
  readonly xid: number;
  readonly at: Date;
  readonly instance_uid: string;
  readonly instance_name: string;
  readonly controller: string;
  readonly node: string | null;
  readonly reason: EventReason;
  readonly from_phase: Phase | null;
  readonly to_phase: Phase | null;
  readonly message: string;
  readonly data: Record<string, unknown>;
}

const columns =
  'id, xid, at, instance_uid, instance_name, controller, node, reason, from_phase, to_phase, message, data';

/** Events after a position and up to the transaction `upTo`, oldest first, of one instance or (null) of all. */
export async function readEvents(
  db: Queryable,
  instanceUid: string | null,
  after: EventPosition,
  upTo: number,
  limit: number,
): Promise<EventRow[]> {
  const { rows } = await db.query<EventRow>(
    `select ${columns} from events
     where (xid, id) > ($1, $2) and xid <= $3 ${instanceUid === null ? '' : 'and instance_uid = $5'}
     order by xid, id limit $4`,
    [after.xid, after.id, upTo, limit, ...(instanceUid === null ? [] : [instanceUid])],
  );
  return rows;
}

/** Where the last `count` events up to the transaction `upTo` begin; from the start when there are fewer. */
export async function readEventTail(
  db: Queryable,
  instanceUid: string | null,
  upTo: number,
  count: number,
): Promise<EventPosition> {
  const { rows } = await db.query<EventPosition>(
    `select xid, id from events
     where xid <= $1 ${instanceUid === null ? '' : 'and instance_uid = $3'}
     order by xid desc, id desc offset $2 limit 1`,
    [upTo, count, ...(instanceUid === null ? [] : [instanceUid])],
  );
  return rows[0] ?? { xid: 0, id: 0 };
}

/** How far events are complete; `pending` = something committed is still above that. */
export async function readEventHistory(db: Queryable): Promise<{ complete: number; next: number; pending: boolean }> {
  const { rows } = await db.query<{ complete: number; next: number; pending: boolean }>(
    `select pg_snapshot_xmin(s)::text::bigint - 1 as complete, pg_snapshot_xmax(s)::text::bigint as next,
       exists (select from events where xid >= pg_snapshot_xmin(s)::text::bigint) as pending
     from pg_current_snapshot() s`,
  );
  return rows[0]!;
}

export function toEvent(row: EventRow): Event {
  return {
    id: String(row.id),
    at: row.at.toISOString(),
    instance: { uid: row.instance_uid, name: row.instance_name },
    controller: row.controller,
    node: row.node,
    reason: row.reason,
    from: row.from_phase,
    to: row.to_phase,
    message: row.message,
    data: row.data,
  };
}
