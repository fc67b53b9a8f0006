import type { TestProject } from 'vitest/node';
import { createTemplate } from './cluster.ts';
import { startTestCluster } from './postgres.ts';

/**
 * One PostgreSQL for the whole run, with a migrated template. `MINIMCP_TEST_DATABASE_URL` names a server
 * that runs already (PostgreSQL 14 or newer, a user who may create databases) instead.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['MINIMCP_TEST_DATABASE_URL'];
  const cluster = given === undefined ? await startTestCluster() : null;
  const clusterUrl = given ?? cluster!.connectionString;
  try {
    const databases = await createTemplate(clusterUrl);
    project.provide('clusterUrl', clusterUrl);
    project.provide('databasePrefix', databases.prefix);
    return async () => {
      try {
        await databases.dropAll();
      } finally {
        await cluster?.stop();
      }
    };
  } catch (error) {
    await cluster?.stop();
    throw error;
  }
}
