import type { Config } from '../config.ts';
import { buildApi } from '../api/app.ts';
import { createPool } from '../db/pool.ts';
import { MiniMcpError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { ensureAdminToken } from '../secrets/admin-token.ts';
import { openVault } from '../secrets/envelope.ts';
import { version } from '../version.ts';

export interface RunningApi {
  readonly url: string;
  stop(): Promise<void>;
}

/** Listens with the API. Any number of these may run beside each other. Throws `AddressInUse`. */
export async function startApi(config: Config, connectionString: string, log: Logger): Promise<RunningApi> {
  const options = {
    applicationName: 'minimcp api',
    onIdleError: (error: Error) => log.debug({ err: error }, 'a database connection was lost'),
  };
  const pool = createPool({ ...options, connectionString });
  const readPool =
    config.databaseReadUrl === null ? pool : createPool({ ...options, connectionString: config.databaseReadUrl });
  const endPools = async (): Promise<void> => {
    await Promise.all(readPool === pool ? [pool.end()] : [pool.end(), readPool.end()]);
  };
  try {
    const vault = await openVault({ pool, masterKeyFile: config.masterKeyFile });
    await ensureAdminToken(pool, config);
    const app = await buildApi({ pool, readPool, vault, config, log, version });
    await app.listen({ host: config.apiHost, port: config.apiPort }).catch(async (error: NodeJS.ErrnoException) => {
      await app.close();
      throw listenError(error, config);
    });
    const host = config.apiHost.includes(':') ? `[${config.apiHost}]` : config.apiHost;
    return {
      url: `http://${host}:${config.apiPort}`,
      async stop() {
        await app.close();
        await endPools();
      },
    };
  } catch (error) {
    await endPools();
    throw error;
  }
}

function listenError(error: NodeJS.ErrnoException, config: Config): Error {
  if (error.code !== 'EADDRINUSE') return error;
  return new MiniMcpError('AddressInUse', `${config.apiHost}:${config.apiPort} is in use by another program`, {
    hint: 'End it, or set MINIMCP_API_PORT to a free port',
    cause: error,
  });
}
