import type { Config } from '../config.ts';
import type { Logger } from '../logger.ts';
import { adminTokenFile } from '../secrets/admin-token.ts';
import { version } from '../version.ts';
import { startApi } from './api.ts';
import type { RunningApi } from './api.ts';
import { controllerNames, startControllers } from './controllers.ts';
import type { RunningControllers } from './controllers.ts';
import { openDatabase } from './database.ts';
import type { Database } from './database.ts';
import { firstSignal } from './signals.ts';

const shutdownMs = 15_000;

/**
 * Everything on this machine, in the foreground, until a signal: then it stops what it started, instances
 * included. What is desired stays, so the next `up` starts them again. Resolves with the exit status.
 */
export async function up(config: Config, log: Logger): Promise<number> {
  const signal = firstSignal(() => process.exit(130));
  let database: Database | undefined;
  let controllers: RunningControllers | undefined;
  let api: RunningApi | undefined;
  const started = (async () => {
    database = await openDatabase(config, log);
    const { connectionString } = database;
    controllers = await startControllers({ config, connectionString, only: controllerNames, log });
    api = await startApi(config, connectionString, log);
    process.stdout.write(banner(config, api.url));
  })();
  try {
    // A signal may come while it still starts; what is half up is taken down all the same.
    await Promise.race([started, signal]);
    await signal;
    process.stdout.write('\nStopping …\n');
    await started.catch(() => {});
  } finally {
    await api?.stop();
    const gone = (await controllers?.shutdown(shutdownMs)) ?? true;
    if (!gone) log.error('some instances are still there; the next start takes them over');
    await controllers?.stop();
    await database?.stop();
  }
  process.stdout.write('Stopped. The next start brings back what should run.\n');
  return 0;
}

function banner(config: Config, url: string): string {
  return `
MiniMCP ${version} is up

  UI     ${url}/
  API    ${url}/api/v1
  token  ${adminTokenFile(config)}

Ctrl-C stops everything it started; the next start brings it back.
`;
}
