import { existsSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config.ts';
import { migrate } from '../db/migrate.ts';
import type { Logger } from '../logger.ts';
import { startEmbeddedPostgres } from '../postgres/embedded.ts';

export interface Database {
  readonly connectionString: string;
  /** True when the server was running before this process came: others may work with it. */
  readonly shared: boolean;
  /** Stops the embedded server; nothing for any other. */
  stop(): Promise<void>;
}

/** The database that the configuration names, migrated to this version; starts the embedded one when there is none. */
export async function openDatabase(config: Config, log: Logger): Promise<Database> {
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  const database = config.databaseUrl === null ? await startEmbedded(config, log) : external(config.databaseUrl);
  try {
    await migrate(database.connectionString, migrationsDirectory(), message => log.info(message));
  } catch (error) {
    if (!database.shared) await database.stop();
    throw error;
  }
  return database;
}

function external(connectionString: string): Database {
  return { connectionString, shared: true, stop: async () => {} };
}

async function startEmbedded(config: Config, log: Logger): Promise<Database> {
  const server = await startEmbeddedPostgres({ dataDir: config.dataDir, log: message => log.info(message) });
  return { connectionString: server.connectionString, shared: server.adopted, stop: () => server.stop() };
}

function migrationsDirectory(): string {
  const candidates = ['../migrations', '../../migrations'].map(path => fileURLToPath(new URL(path, import.meta.url)));
  return candidates.find(path => existsSync(path)) ?? candidates[0]!;
}
