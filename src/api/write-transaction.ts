import { transaction } from '../db/pool.ts';
import type { Pool, Queryable } from '../db/pool.ts';

/**
 * One write of desired state. A dry run does all of it, answers what would be, and takes it back.
 * The work may be done several times, so it has no effect outside the database.
 */
export async function writeTransaction<T>(
  pool: Pool,
  isDryRun: boolean,
  work: (tx: Queryable) => Promise<T>,
): Promise<T> {
  if (!isDryRun) return await transaction(pool, work);
  const takeBack = new Error('dry run');
  let outcome: { value: T } | undefined;
  try {
    await transaction(pool, async tx => {
      outcome = { value: await work(tx) };
      throw takeBack;
    });
  } catch (error) {
    if (error !== takeBack) throw error;
  }
  return outcome!.value;
}
