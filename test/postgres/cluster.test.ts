import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { exists, kill, query, until, useRooms, type Room } from './room.ts';

const newRoom = useRooms();

/** Kill -9 finds the first start here; each is a file of the room's `data/postgres`. */
const moments = [
  { moment: 'before there is anything', file: 'start.lock' },
  { moment: 'with a password', file: 'password' },
  { moment: 'in initdb', file: '18.new-*/PG_VERSION' },
  { moment: 'late in initdb', file: '18.new-*/base/4' },
  { moment: 'while user and database are made', file: '18.new-*/postmaster.pid' },
  { moment: 'with a complete cluster', file: '18/PG_VERSION' },
  { moment: 'before the server starts', file: '18/minimcp.conf' },
  { moment: 'while the server starts', file: '18/postmaster.pid' },
];

async function reached(room: Room, file: string): Promise<boolean> {
  const root = join(room.dataDir, 'postgres');
  const names = await readdir(root).catch(() => []);
  const unfinished = names.find(name => name.startsWith('18.new-')) ?? 'none';
  return exists(join(root, file.replace('18.new-*', unfinished)));
}

async function expectWhole(room: Room): Promise<void> {
  const server = await room.start();
  await query(server.connectionString, 'create table made as select 1');
  const names = await readdir(join(room.dataDir, 'postgres'));
  expect(names.toSorted()).toEqual(['18', 'password', 'server.lock', 'start.lock']);
  await server.stop();
  expect(await room.processes()).toEqual([]);
}

test.each(moments)(
  'kill -9 $moment leaves nothing that blocks the next start',
  async ({ file }) => {
    const room = await newRoom();
    const starter = room.starter();
    await until(() => reached(room, file));
    await kill(starter);
    await expectWhole(room);
  },
  30_000,
);

test('when the program that makes the cluster is killed, the start fails cleanly and the next one works', async () => {
  const room = await newRoom();
  const start = expect(room.start()).rejects.toMatchObject({ code: 'PostgresInitFailed' });
  await until(() => reached(room, '18.new-*/PG_VERSION'));
  for (const pid of await initdbPids(room)) process.kill(pid, 'SIGKILL');
  await start;
  expect(await readdir(join(room.dataDir, 'postgres'))).not.toContain('18');
  await expectWhole(room);
}, 30_000);

test('the next start waits for the programs of a killed one', async () => {
  const room = await newRoom();
  const starter = room.starter();
  await until(() => reached(room, '18.new-*/PG_VERSION'));
  await kill(starter);
  const orphans = await initdbPids(room);
  const names = () => readdir(join(room.dataDir, 'postgres'));
  const before = await names();
  for (const pid of orphans) process.kill(pid, 'SIGSTOP');
  const start = room.start();
  // Longer than a start takes to sweep what was left and to begin anew.
  await delay(300);
  const during = await names();
  for (const pid of orphans) process.kill(pid, 'SIGCONT');
  await (await start).stop();
  expect(during).toEqual(before);
  await expectWhole(room);
}, 30_000);

test('a lost password file is a clear error, not a second password', async () => {
  const room = await newRoom();
  await (await room.start()).stop();
  const file = join(room.dataDir, 'postgres', 'password');
  await rm(file);
  await expect(room.start()).rejects.toMatchObject({ code: 'PostgresPasswordMissing' });
  expect(await exists(file)).toBe(false);
}, 30_000);

async function initdbPids(room: Room): Promise<number[]> {
  const pids: number[] = [];
  for (const pid of (await readdir('/proc')).map(Number).filter(Number.isInteger)) {
    const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (args[0]?.endsWith('/initdb') && args[2]?.startsWith(room.path)) pids.push(pid);
  }
  expect(pids).not.toEqual([]);
  return pids;
}
