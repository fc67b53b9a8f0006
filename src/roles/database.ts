import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createLoop } from '../../controllers/loop.ts';
import { identityOf, isAlive } from '../../controllers/runtime/process-table.ts';
import type { Config } from '../config.ts';
import { migrate } from '../db/migrate.ts';
import { MiniMcpError, errorMessage } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { startEmbeddedPostgres } from '../postgres/embedded.ts';
import { secureDataDirectory } from '../secrets/data-directory.ts';

export interface Database {
  readonly connectionString: string;
  /** True when the server was running before this process came: others may work with it. */
  readonly shared: boolean;
  /** Leaves the server to others. */
  release(): Promise<void>;
  /** Stops the embedded server; nothing for any other. */
  stop(): Promise<void>;
}

const lookMs = 1_000;

/**
 * The database that the configuration names, migrated to this version. Without one the embedded server is
 * started, and started again whenever it dies. Throws `DatabaseUnreachable`.
 */
export async function openDatabase(config: Config, log: Logger): Promise<Database> {
  await secureDataDirectory(config.dataDir);
  const database = config.databaseUrl === null ? await keepEmbedded(config, log) : external(config.databaseUrl);
  try {
    await migrate(database.connectionString, migrationsDirectory(), message => log.info(message));
  } catch (error) {
    if (database.shared) await database.release();
    else await database.stop();
    if (error instanceof MiniMcpError || config.databaseUrl === null) throw error;
    throw new MiniMcpError(
      'DatabaseUnreachable',
      `The database of DATABASE_URL cannot be used: ${errorMessage(error)}`,
      {
        hint: 'Check the address, the user and the server; or unset DATABASE_URL for the embedded one',
        cause: error,
      },
    );
  }
  return database;
}

function external(connectionString: string): Database {
  return { connectionString, shared: true, release: async () => {}, stop: async () => {} };
}

/** The embedded server, looked after as long as this process holds it. */
async function keepEmbedded(config: Config, log: Logger): Promise<Database> {
  const start = (): ReturnType<typeof startEmbeddedPostgres> =>
    startEmbeddedPostgres({ dataDir: config.dataDir, log: message => log.info(message) });
  let server = await start();
  let identity = identityOf(server.pid);
  const keeper = createLoop({
    name: 'database',
    concurrency: 1,
    resyncMs: 60_000,
    log,
    scan: async () => ['server'],
    async reconcile() {
      if (identity !== null && isAlive(identity)) return lookMs;
      log.warn('the embedded database has died; starting it again');
      server = await start();
      identity = identityOf(server.pid);
      return lookMs;
    },
  });
  keeper.start();
  return {
    connectionString: server.connectionString,
    shared: server.adopted,
    release: () => keeper.stop(),
    async stop() {
      await keeper.stop();
      await server.stop();
    },
  };
}

function migrationsDirectory(): string {
  const candidates = ['../migrations', '../../migrations'].map(path => fileURLToPath(new URL(path, import.meta.url)));
  return candidates.find(path => existsSync(path)) ?? candidates[0]!;
}
