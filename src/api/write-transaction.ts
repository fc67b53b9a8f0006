import { transaction } from '../db/pool.ts';
import type { Pool, Queryable } from '../db/pool.ts';

// Beyond the tries that a transaction has anyway: a controller that reports on the same instance without a
// pause can win each of those.
const rounds = 6;
const pauseMs = 20;

/**
 * One write of desired state. A dry run does all of it, answers what would be, and takes it back.
 * The work may be done several times, so it has no effect outside the database.
 */
export async function writeTransaction<T>(
  pool: Pool,
  isDryRun: boolean,
  work: (tx: Queryable) => Promise<T>,
): Promise<T> {
  for (let round = 1; ; round++) {
    try {
      return isDryRun ? await takeBack(pool, work) : await transaction(pool, work);
    } catch (error) {
      if (round === rounds || (error as { code?: unknown }).code !== '40001') throw error;
      await new Promise(resolve => setTimeout(resolve, pauseMs * Math.random() * round));
    }
  }
}

async function takeBack<T>(pool: Pool, work: (tx: Queryable) => Promise<T>): Promise<T> {
  const dryRun = new Error('dry run');
  let outcome: { value: T } | undefined;
  try {
    await transaction(pool, async tx => {
      outcome = { value: await work(tx) };
      throw dryRun;
    });
  } catch (error) {
    if (error !== dryRun) throw error;
  }
  return outcome!.value;
}
