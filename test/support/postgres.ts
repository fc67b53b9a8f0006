import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../src/postgres/embedded.ts';

/** Nothing in a test outlives a power failure, so nothing has to reach the disk. */
export const volatileSettings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };

export interface TestCluster {
  /** Of the database `minimcp`, as a user who may create databases. */
  readonly connectionString: string;
  readonly dataDir: string;
  /** Stops the server and removes its files. */
  stop(): Promise<void>;
}

/** A server of its own in a temporary directory, for vitest's globalSetup. About 0.7 s. */
export async function startTestCluster(): Promise<TestCluster> {
  const dataDir = await mkdtemp(join(tmpdir(), 'minimcp-test-'));
  const remove = () => rm(dataDir, { recursive: true, force: true });
  try {
    const settings = { ...volatileSettings, max_connections: '200' };
    const server = await startEmbeddedPostgres({ dataDir, settings });
    const stop = () => server.stop('immediate').then(remove);
    return { connectionString: server.connectionString, dataDir, stop };
  } catch (error) {
    await remove();
    throw error;
  }
}
