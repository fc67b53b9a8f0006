import type { Queryable } from './pool.ts';

export interface ExpiredRow {
  readonly uid: string;
  readonly name: string;
  readonly expires_at: Date;
}

/**
 * Records the leases that have ended by the database's clock and are not recorded yet. The rows are locked,
 * so an extension comes either before (and the lease has not ended) or after (and it is a new lease).
 */
export async function recordExpiries(db: Queryable, limit: number): Promise<ExpiredRow[]> {
  const { rows } = await db.query<ExpiredRow>(
    `with due as (
       select i.uid, i.name, i.expires_at, i.generation from instances i
       where i.expires_at <= now() and not exists (
         select from expiries e where e.instance_uid = i.uid and e.expires_at = i.expires_at)
       order by i.expires_at limit $1 for no key update of i skip locked
     ), recorded as (
       insert into expiries as e (instance_uid, expires_at, generation)
       select uid, expires_at, generation from due
       on conflict (instance_uid) do update set
         expires_at = excluded.expires_at, generation = excluded.generation, expired_at = now()
         where e.expires_at <> excluded.expires_at
     )
     select uid, name, expires_at from due`,
    [limit],
  );
  return rows;
}

/** Milliseconds until the next lease ends that has not been recorded; null = none. Locked rows count as due. */
export async function nextExpiryMs(db: Queryable): Promise<number | null> {
  const { rows } = await db.query<{ ms: number | null }>(
    `select (extract(epoch from min(i.expires_at) - clock_timestamp()) * 1000)::double precision as ms
     from instances i left join expiries e on e.instance_uid = i.uid and e.expires_at = i.expires_at
     where i.expires_at is not null and e.instance_uid is null`,
  );
  return rows[0]?.ms ?? null;
}
