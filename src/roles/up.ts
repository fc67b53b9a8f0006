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

interface Started {
  database?: Database;
  api?: RunningApi;
  controllers?: RunningControllers;
  whole: boolean;
}

/**
 * Everything on this machine, in the foreground, until a signal: then it stops what it started, instances
 * included. What is desired stays, so the next `up` starts them again. Resolves with the exit status.
 */
export async function up(config: Config, log: Logger): Promise<number> {
  const signal = firstSignal(() => process.exit(130));
  const parts: Started = { whole: false };
  const starting = start(parts, config, log);
  try {
    // A signal may come while it still starts; what is half up is taken down all the same.
    await Promise.race([starting, signal]);
    await signal;
    process.stdout.write('\nStopping …\n');
    await starting.catch(() => {});
  } catch (error) {
    await stop(parts, log);
    throw error;
  }
  if (!(await stop(parts, log))) {
    process.stdout.write('Stopped, but some instances could not be ended. The next start takes them over.\n');
    return 1;
  }
  process.stdout.write('Stopped. The next start brings back what should run.\n');
  return 0;
}

async function start(parts: Started, config: Config, log: Logger): Promise<void> {
  parts.database = await openDatabase(config, log);
  const { connectionString } = parts.database;
  // The API before the controllers: a port that is taken is found before any instance is started.
  parts.api = await startApi(config, connectionString, log);
  parts.controllers = await startControllers({ config, connectionString, only: controllerNames, log });
  parts.whole = true;
  process.stdout.write(banner(config, parts.api.url));
}

/** Takes down what is up; false when a process of an instance is left. */
async function stop({ database, api, controllers, whole }: Started, log: Logger): Promise<boolean> {
  await api?.stop();
  const gone = await controllers?.shutdown(shutdownMs).catch((error: unknown) => {
    log.error({ err: error }, 'the instances could not be stopped');
    return false;
  });
  await controllers?.stop();
  // An `up` that was refused must not take the database from the one that refused it.
  if (whole || database?.shared === false) await database?.stop();
  else await database?.release();
  return gone !== false;
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
