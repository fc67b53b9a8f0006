import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lockNode } from '../../controllers/node-lock.ts';
import { beatNode, claimNode } from '../../src/db/heartbeats.ts';
import { transaction } from '../../src/db/pool.ts';
import { lockGeneration } from '../../src/db/statuses.ts';
import { createLogger } from '../../src/logger.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';

/** One process alone may start and stop a node's processes, on this machine and on any other. */
let database: TestDatabase;
let directory: string;
const log = createLogger('silent');

const node = (name: string): Parameters<typeof claimNode>[1] => ({
  name,
  runtime: 'builtin',
  instanceHost: '127.0.0.1',
  portFrom: 3001,
  portTo: 3010,
  bootId: 'boot',
  version: '0',
});

beforeAll(async () => {
  database = await createTestDatabase();
  directory = mkdtempSync(join(tmpdir(), 'minimcp-lock-'));
});
afterAll(async () => {
  await database.close();
  rmSync(directory, { recursive: true, force: true });
});

test('the second on one data directory is refused, the next after a release is not', async () => {
  const first = await lockNode(database.pool, node('one'), directory, log);
  await expect(lockNode(database.pool, node('one'), directory, log)).rejects.toMatchObject({ code: 'NodeTaken' });
  // Another node of the same machine is none of its business.
  await (await lockNode(database.pool, node('other'), directory, log)).release();
  await first.release();
  const again = await lockNode(database.pool, node('one'), directory, log);
  await again.release();
});

test('a holder elsewhere keeps the node while its heartbeat is fresh, and writes nothing after it lost it', async () => {
  expect(await claimNode(database.pool, node('far'), 'there', 30_000)).toBeNull();
  expect(await claimNode(database.pool, node('far'), 'here', 30_000)).toBe('there');
  await database.pool.query("update nodes set heartbeat_at = now() - interval '1 minute' where name = 'far'");
  expect(await claimNode(database.pool, node('far'), 'here', 30_000)).toBeNull();
  expect(await beatNode(database.pool, node('far'), 'there')).toBe(false);
  expect(await beatNode(database.pool, node('far'), 'here')).toBe(true);

  const { rows } = await database.pool.query<{ uid: string }>(
    `insert into instances (uid, name, type) values (gen_random_uuid(), 'x', 'stdio') returning uid`,
  );
  const may = (holder: string): Promise<boolean> =>
    transaction(database.pool, db => lockGeneration(db, rows[0]!.uid, 1, { node: 'far', holder }));
  expect(await may('there')).toBe(false);
  expect(await may('here')).toBe(true);
});

test('a holder of this machine that is dead is not waited for', async () => {
  const lock = await lockNode(database.pool, node('dead'), directory, log);
  // As its kill -9 leaves it: the row names a process of this boot that is no more.
  const [boot, namespace] = lock.holder.split(' ');
  await lock.release();
  expect(await claimNode(database.pool, node('dead'), `${boot} ${namespace} 4194303 1`, 30_000)).toBeNull();
  const next = await lockNode(database.pool, node('dead'), directory, log);
  expect(next.holder).toBe(lock.holder);
  await next.release();
});
