import type { Pool } from '../../src/db/pool.ts';
import { until } from './until.ts';

/**
 * Waits until everything that was committed is below every running transaction: only then do streams tell it
 * with its id. A transaction of another test file, in another database of the same server, counts too.
 */
export async function settle(pool: Pool): Promise<void> {
  await until('everything is complete', async () => {
    const { rows } = await pool.query<{ settled: boolean }>(
      `select not exists (select from changes where resource_version >= s.xmin)
         and not exists (select from events where xid >= s.xmin) as settled
       from (select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as xmin) s`,
    );
    return rows[0]!.settled;
  });
}
