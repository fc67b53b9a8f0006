import { transaction } from './pool.ts';
import type { Pool, Queryable } from './pool.ts';

/** Removes what has served its time, a bounded number of rows; returns how many. */
export async function deleteOldIdempotencyKeys(db: Queryable, olderThanHours: number, limit: number): Promise<number> {
  const { rowCount } = await db.query(
    `delete from idempotency_keys where (token_id, key) in (
       select token_id, key from idempotency_keys where created_at < now() - make_interval(hours => $1) limit $2)`,
    [olderThanHours, limit],
  );
  return rowCount ?? 0;
}

/** Tombstones of deleted instances, after which a watcher from before must start again. */
export async function deleteOldTombstones(db: Queryable, olderThanMinutes: number, limit: number): Promise<number> {
  const { rowCount } = await db.query(
    `delete from changes where instance_uid in (
       select instance_uid from changes where deleted_at < now() - make_interval(mins => $1) limit $2)`,
    [olderThanMinutes, limit],
  );
  return rowCount ?? 0;
}

/** Events are append-only; retention alone may remove them, and says so for its transaction. */
export async function deleteOldEvents(pool: Pool, olderThanDays: number, limit: number): Promise<number> {
  return transaction(pool, async db => {
    await db.query("set local minimcp.retention = 'on'");
    const { rowCount } = await db.query(
      `delete from events where id in (
         select id from events where at < now() - make_interval(days => $1) limit $2)`,
      [olderThanDays, limit],
    );
    return rowCount ?? 0;
  });
}

/** Days for which a partition should exist, from yesterday on, by the database's clock. */
const partitionedByDay = ['logs', 'log_cursors'] as const;

/** Makes the partitions of the days ahead. Existing ones stay as they are. */
export async function createPartitions(db: Queryable, daysAhead: number): Promise<void> {
  const { rows } = await db.query<{ name: string; day: string; next: string }>(
    `select to_char(d, 'YYYYMMDD') as name, to_char(d, 'YYYY-MM-DD') as day, to_char(d + interval '1 day', 'YYYY-MM-DD') as next
     from generate_series(date_trunc('day', now() at time zone 'UTC') - interval '1 day',
                          date_trunc('day', now() at time zone 'UTC') + make_interval(days => $1), interval '1 day') as d`,
    [daysAhead],
  );
  for (const table of partitionedByDay) {
    const zone = table === 'logs' ? ' 00:00:00+00' : '';
    for (const { name, day, next } of rows) {
      await db.query(
        `create table if not exists ${table}_${name} partition of ${table} for values from ('${day}${zone}') to ('${next}${zone}')`,
      );
    }
  }
}

/** Drops the partitions whose day is older than that; returns their names. */
export async function dropOldPartitions(db: Queryable, olderThanDays: number): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>(
    `select c.relname as name from pg_inherits i
     join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
     where p.relname = any ($1) and c.relname ~ '_[0-9]{8}$'
       and to_date(right(c.relname, 8), 'YYYYMMDD') < (now() at time zone 'UTC')::date - $2::int`,
    [[...partitionedByDay], olderThanDays],
  );
  for (const { name } of rows) await db.query(`drop table if exists ${name}`);
  return rows.map(row => row.name);
}
