import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { migrate } from '../../src/db/migrate.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Any database of the server that the tests use; its user may create databases. */
    clusterUrl: string;
    /** Names of this run's databases begin with it. */
    databasePrefix: string;
  }
}

export interface TestDatabases {
  readonly clusterUrl: string;
  readonly prefix: string;
  /** Drops every database of this run, also those that a crashed test left. */
  dropAll(): Promise<void>;
}

const migrations = fileURLToPath(new URL('../../migrations', import.meta.url));

/** Makes the migrated template that `createTestDatabase` copies. */
export async function createTemplate(clusterUrl: string): Promise<TestDatabases> {
  const prefix = `minimcp_test_${randomBytes(4).toString('hex')}_`;
  await onCluster(clusterUrl, client => client.query(`create database ${templateName(prefix)}`));
  await migrate(databaseUrl(clusterUrl, templateName(prefix)), migrations, () => {});
  return {
    clusterUrl,
    prefix,
    dropAll: () =>
      onCluster(clusterUrl, async client => {
        const { rows } = await client.query<{ datname: string }>(
          'select datname from pg_database where starts_with(datname, $1)',
          [prefix],
        );
        for (const { datname } of rows) await client.query(`drop database if exists ${datname} with (force)`);
      }),
  };
}

export function templateName(prefix: string): string {
  return `${prefix}template`;
}

/** The same server and user, another database. */
export function databaseUrl(clusterUrl: string, database: string): string {
  // By hand: WHATWG's URL refuses a host that is empty, which is how a Unix socket is written.
  return clusterUrl.replace(/^(postgres(?:ql)?:\/\/[^/]*)(\/[^?]*)?/, `$1/${database}`);
}

export async function onCluster<T>(clusterUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: clusterUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
