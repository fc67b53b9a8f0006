import { rm, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Instance } from '../../specs/instance.ts';
import { migrate } from '../../src/db/migrate.ts';
import { createPool } from '../../src/db/pool.ts';
import { startEmbeddedPostgres } from '../../src/postgres/embedded.ts';
import type { EmbeddedPostgres } from '../../src/postgres/embedded.ts';
import { createInstallation } from '../support/installation.ts';
import type { Installation } from '../support/installation.ts';
import { echoSpec } from '../support/specs.ts';
import { until } from '../support/until.ts';

/** Fifty instances, and everything above them dies: the instances must not notice. */
const names = Array.from({ length: 50 }, (_, index) => `fleet-${index}`);
const migrations = fileURLToPath(new URL('../../migrations', import.meta.url));

let dataDir: string;
let server: EmbeddedPostgres;
let it: Installation;
let before: Map<string, number>;

/** A server of this test's own, because it is going to be killed; its writes must reach the disk. */
async function startServer(): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres({ dataDir });
}

async function pids(): Promise<Map<string, number>> {
  const page = await it.api('GET', '/mcps?limit=500');
  const items = page.body.items as Instance[];
  expect(items).toHaveLength(names.length);
  return new Map(items.map(item => [item.metadata.name, item.status.pid!]));
}

async function allReady(withinMs: number): Promise<void> {
  await until(
    'all are Ready',
    async () => {
      const page = await it.api('GET', '/mcps?phase=Ready&limit=500');
      return (page.body.items as Instance[]).length === names.length;
    },
    withinMs,
  );
}

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'minimcp-fleet-'));
  server = await startServer();
  await migrate(server.connectionString, migrations, () => {});
  const pool = createPool({
    connectionString: server.connectionString,
    applicationName: 'test',
    onIdleError: () => {},
  });
  it = await createInstallation({ database: { url: server.connectionString, pool, close: () => pool.end() } });
  await it.startApi();
}, 60_000);
afterAll(async () => {
  await it.close();
  await server.stop();
  await rm(dataDir, { recursive: true, force: true });
});

test(
  'the API takes fifty declarations with every controller down; they catch up when they come',
  { timeout: 120_000 },
  async () => {
    const replies = await Promise.all(
      names.map(name => it.api('POST', '/mcps', { metadata: { name }, spec: echoSpec() })),
    );
    expect(new Set(replies.map(reply => reply.status))).toEqual(new Set([201]));
    expect((await it.get('fleet-0')).status.phase).toBe('Pending');
    await it.startControllers();
    await allReady(100_000);
    before = await pids();
  },
);

test(
  'kill -9 of the controllers: on their return all are adopted and none restarted',
  { timeout: 60_000 },
  async () => {
    await it.stopControllers();
    await it.startControllers();
    await until(
      'all are adopted',
      async () => {
        const { rows } = await it.database.pool.query<{ count: number }>(
          `select count(distinct instance_uid)::int as count from events where reason = 'Adopted'`,
        );
        return rows[0]!.count === names.length;
      },
      30_000,
    );
    expect(await pids()).toEqual(before);
    const seen = await it.observer.look();
    for (const name of names) expect(seen.total[name]).toBe(1);
  },
);

test(
  'PostgreSQL stopped at once for five seconds: no instance is touched, everything converges after',
  { timeout: 90_000 },
  async () => {
    await server.stop('immediate');
    // The length of the outage is the point here, not a wait for something.
    await new Promise(resolve => setTimeout(resolve, 5_000));
    const during = await it.observer.look();
    for (const name of names) expect(during.live[name]).toEqual([before.get(name)]);
    expect((await fetch(`${it.url}/livez`)).ok).toBe(true);
    server = await startServer();
    await until('the API answers again', async () => (await it.api('GET', '/mcps?limit=1')).status === 200, 30_000);
    await it.api('PATCH', '/mcps/fleet-0', { spec: { running: false } });
    await it.phase('fleet-0', 'Stopped', 20_000);
    await it.api('PATCH', '/mcps/fleet-0', { spec: { running: true } });
    await allReady(30_000);
    const after = await pids();
    for (const name of names.slice(1)) expect(after.get(name)).toBe(before.get(name));
    const seen = await it.observer.look();
    for (const name of names) expect(seen.most[name]).toBe(1);
  },
);
