import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { createPool } from '../../src/db/pool.ts';
import type { Pool } from '../../src/db/pool.ts';
import { databaseUrl, onCluster, templateName } from './cluster.ts';

export interface TestDatabase {
  readonly url: string;
  readonly pool: Pool;
  /** Ends the pool and drops the database, whoever is still connected. */
  close(): Promise<void>;
}

/** A migrated database of the caller's own: one for each test file, so that files run side by side. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const clusterUrl = inject('clusterUrl');
  const prefix = inject('databasePrefix');
  const name = `${prefix}${randomBytes(6).toString('hex')}`;
  await onCluster(clusterUrl, client => client.query(`create database ${name} template ${templateName(prefix)}`));
  const url = databaseUrl(clusterUrl, name);
  // Tests end connections on purpose; what matters of that shows in the queries that fail.
  const pool = createPool({ connectionString: url, applicationName: 'test', onIdleError: () => {} });
  return {
    url,
    pool,
    async close() {
      await pool.end();
      await onCluster(clusterUrl, client => client.query(`drop database if exists ${name} with (force)`));
    },
  };
}
