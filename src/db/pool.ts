import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

export type Pool = pg.Pool;
/** What a statement runs on: the pool, or the client of a transaction. */
export type Queryable = Pick<pg.ClientBase, 'query'>;

// bigint counters (generations, versions, ids) stay far below 2^53.
const types = new pg.TypeOverrides();
types.setTypeParser(pg.types.builtins.INT8, Number);

export interface PoolOptions {
  readonly connectionString: string;
  readonly applicationName: string;
  readonly max?: number;
  /** Called for an error on an idle connection, such as a server that went away; the pool replaces it. */
  readonly onIdleError: (error: Error) => void;
}

/** A connection pool whose calls fail after bounded times instead of hanging on a half-open connection. */
export function createPool(options: PoolOptions): Pool {
  const pool = new pg.Pool({
    ...connectionOptions(options.connectionString, options.applicationName),
    max: options.max ?? 8,
    idleTimeoutMillis: 30_000,
    query_timeout: 30_000,
  });
  pool.on('error', options.onIdleError);
  return pool;
}

/** Settings that the pool and the listener's own connection share. */
export function connectionOptions(connectionString: string, applicationName: string): pg.ClientConfig {
  return {
    connectionString,
    application_name: applicationName,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types,
  };
}

// A younger transaction, a deadlock: the same work done again has another outcome.
const transient = new Set(['40001', '40P01']);

/**
 * Runs `work` in one transaction. It should lock the instance first: then its id, which becomes the resource
 * version, is given after the lock and in the same order. Work that lost against another transaction is tried again up to
 * three times, so it must have no effect outside the database.
 */
export async function transaction<T>(pool: Pool, work: (client: Queryable) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await transactionOnce(pool, work);
    } catch (error) {
      if (attempt === 4 || !transient.has((error as { code?: string }).code ?? '')) throw error;
      // Two that meet again at once would lose to each other again.
      await sleep(Math.random() * 5 * attempt);
    }
  }
}

async function transactionOnce<T>(pool: Pool, work: (client: Queryable) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  const onError = (error: Error): void => {
    broken = error;
  };
  client.on('error', onError);
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    // A connection that cannot even roll back is thrown away, not handed to the next caller.
    await client.query('rollback').catch((cause: unknown) => {
      broken ??= cause instanceof Error ? cause : new Error(String(cause));
    });
    throw error;
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}

/** Milliseconds of the database's clock. */
export async function databaseNow(db: Queryable): Promise<Date> {
  const { rows } = await db.query<{ now: Date }>('select clock_timestamp() as now');
  return rows[0]!.now;
}

/** The row that a statement is certain to return. */
export function only<T>(rows: readonly T[]): T {
  const row = rows[0];
  if (row === undefined) throw new Error('the statement returned no row');
  return row;
}
