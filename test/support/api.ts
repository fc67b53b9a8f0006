import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { pino } from 'pino';
import { buildApi } from '../../src/api/app.ts';
import type { StreamTiming } from '../../src/api/context.ts';
import { loadConfig } from '../../src/config.ts';
import type { Config } from '../../src/config.ts';
import { createPool } from '../../src/db/pool.ts';
import { openVault } from '../../src/secrets/envelope.ts';
import type { Vault } from '../../src/secrets/envelope.ts';
import { ensureAdminToken } from '../../src/secrets/admin-token.ts';
import { createTestDatabase } from './database.ts';
import type { TestDatabase } from './database.ts';

type Method = NonNullable<InjectOptions['method']>;

export interface TestApi {
  readonly app: FastifyInstance;
  readonly database: TestDatabase;
  readonly config: Config;
  readonly vault: Vault;
  readonly adminToken: string;
  /** Everything that was logged. */
  readonly logged: string[];
  /** Asks as admin, with the body as JSON. */
  ask(method: Method, url: string, body?: unknown, headers?: Record<string, string>): Promise<LightMyRequestResponse>;
  close(): Promise<void>;
}

/** The statuses of answers that came in any order. */
export function sortedStatuses(responses: readonly LightMyRequestResponse[]): number[] {
  return responses.map(response => response.statusCode).toSorted((a, b) => a - b);
}

/** The API over a database and a data directory of its own. */
export async function createTestApi(
  env: Record<string, string> = {},
  streamTiming: Partial<StreamTiming> = {},
  // Through where the API reaches its database, when that is not the straight way.
  route: ((url: string) => Promise<string>) | null = null,
): Promise<TestApi> {
  const database = await createTestDatabase();
  const dataDir = await mkdtemp(join(tmpdir(), 'minimcp-test-'));
  const config = loadConfig({ MINIMCP_DATA_DIR: dataDir, MINIMCP_NODE: 'test-node', ...env });
  const pool =
    route === null
      ? database.pool
      : createPool({ connectionString: await route(database.url), applicationName: 'test', onIdleError: () => {} });
  const vault = await openVault({ pool, masterKeyFile: config.masterKeyFile });
  const adminToken = await ensureAdminToken(pool, config);
  const logged: string[] = [];
  const log = pino({ level: 'trace' }, { write: line => void logged.push(line) });
  const app = await buildApi({ pool, readPool: pool, vault, config, log, version: '0.0.0-test', streamTiming });
  await app.ready();
  return {
    app,
    database,
    config,
    vault,
    adminToken,
    logged,
    ask(method, url, body, headers = {}) {
      return app.inject({
        method,
        url,
        headers: {
          authorization: `Bearer ${adminToken}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
    },
    async close() {
      await app.close();
      if (pool !== database.pool) await pool.end();
      await database.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
