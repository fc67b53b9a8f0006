import { migrate as runMigrations } from 'postgres-migrations';
import pg from 'pg';
import { MiniMcpError, errorMessage } from '../errors.ts';
import { connectionOptions } from './pool.ts';

/**
 * Brings the schema to this version: forward only, one process at a time (an advisory lock), then what
 * depends on the server that holds the data. Throws `DatabaseTooOld` below PostgreSQL 14.
 */
export async function migrate(
  connectionString: string,
  directory: string,
  log: (message: string) => void,
): Promise<void> {
  const client = new pg.Client(connectionOptions(connectionString, 'minimcp migrate'));
  // Without a listener an error between two queries would end the process.
  client.on('error', error => log(`database connection: ${errorMessage(error)}`));
  await client.connect();
  try {
    await requireVersion(client);
    const done = await runMigrations({ client }, directory);
    for (const migration of done) log(`migrated ${migration.name}`);
    await rebaseVersions(client);
  } finally {
    await client.end();
  }
}

async function requireVersion(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ version: string }>("select current_setting('server_version_num') as version");
  const version = Number(rows[0]?.version);
  if (version >= 140_000) return;
  throw new MiniMcpError('DatabaseTooOld', `PostgreSQL ${Math.floor(version / 10_000)} is too old`, {
    hint: 'Use PostgreSQL 14 or newer, or unset DATABASE_URL for the embedded one',
  });
}

/**
 * A dump restored into another server brings resource versions from that server's future; there every
 * write would count as the older one. They start again from what this server has.
 */
async function rebaseVersions(client: pg.Client): Promise<void> {
  await client.query('begin');
  await client.query(`
    update changes set resource_version = pg_current_xact_id()::text::bigint
    where resource_version > pg_current_xact_id()::text::bigint`);
  // Its trigger writes the new version.
  await client.query(`
    update instances set desired_version = 0 where desired_version > pg_current_xact_id()::text::bigint`);
  await client.query('commit');
}
