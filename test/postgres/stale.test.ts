import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterEach, expect, test } from 'vitest';
import { readLockFile } from '../../src/postgres/lockfile.ts';
import { kill, query, useRooms, type Room } from './room.ts';

const newRoom = useRooms({ prepared: true });
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) await kill(child);
});

/** What a server leaves that was killed, with `pid` since given to someone else. */
async function leaveLockFiles(room: Room, pid: number | string): Promise<void> {
  const rest = `${room.cluster}\n1700000000\n5432\n${room.cluster}\n\n  1234567         8\nready   \n`;
  await writeFile(join(room.cluster, 'postmaster.pid'), `${pid}\n${rest}`, { mode: 0o600 });
  await writeFile(join(room.cluster, '.s.PGSQL.5432.lock'), `${pid}\n${rest}`, { mode: 0o600 });
}

async function expectFreshStart(room: Room, reason: RegExp): Promise<void> {
  const messages: string[] = [];
  const server = await room.start({ log: message => messages.push(message) });
  expect(server.adopted).toBe(false);
  expect(messages[0]).toMatch(reason);
  expect(await query(server.connectionString, 'select 1 as one')).toEqual([{ one: 1 }]);
}

async function firstLine(child: ChildProcess): Promise<string> {
  const [data]: unknown[] = await once(child.stdout ?? child, 'data');
  return String(data).trim();
}

function spawnShell(script: string): ChildProcess {
  const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

test('a lock file of a dead process does not block', async () => {
  const room = await newRoom();
  await room.furnish();
  const child = spawnShell('exit 0');
  await once(child, 'exit');
  await leaveLockFiles(room, child.pid ?? 0);
  await expectFreshStart(room, /is dead/);
}, 20_000);

test('nor does one of a live process that is another program, which is left alone', async () => {
  const room = await newRoom();
  await room.furnish();
  const stranger = spawnShell('echo up; exec sleep 600');
  await firstLine(stranger);
  await leaveLockFiles(room, stranger.pid ?? 0);
  await expectFreshStart(room, /not postgres/);
  expect(stranger.exitCode ?? stranger.signalCode).toBe(null);
}, 20_000);

test('nor one of a zombie', async () => {
  const room = await newRoom();
  await room.furnish();
  // sleep never waits for the child it inherits from the shell.
  const zombie = await firstLine(spawnShell('sleep 0.2 & echo $!; exec sleep 600'));
  await expect.poll(() => readFile(`/proc/${zombie}/stat`, 'utf8')).toMatch(/\) Z/);
  await leaveLockFiles(room, zombie);
  await expectFreshStart(room, /is dead/);
}, 20_000);

test('nor one whose pid is the server of another data directory, which is left alone', async () => {
  const [room, other] = [await newRoom(), await newRoom()];
  await room.furnish();
  await other.furnish();
  const theirs = await other.start();
  await leaveLockFiles(room, theirs.pid);
  await expectFreshStart(room, /another data directory/);
  expect(await query(theirs.connectionString, 'select 1 as one')).toEqual([{ one: 1 }]);
}, 20_000);

test.each(['', 'not a pid\n', '0\n'])(
  'nor one that was cut short: %j',
  async text => {
    const room = await newRoom();
    await room.furnish();
    await writeFile(join(room.cluster, 'postmaster.pid'), text);
    await expectFreshStart(room, /names no process/);
  },
  20_000,
);

test('a killed server is started again at once, while its last processes still end, and lost nothing', async () => {
  const room = await newRoom();
  await room.furnish();
  // Only the machine keeps running, so fsync may stay off; what is committed must be written, though.
  const first = await room.start({ settings: { fsync: 'off' } });
  await query(first.connectionString, 'create table kept as select 42 as answer');
  const busy = new Client({ connectionString: first.connectionString });
  busy.on('error', () => {});
  await busy.connect();
  const cut = expect(busy.query('select pg_sleep(60)')).rejects.toThrow();
  process.kill(first.pid, 'SIGKILL');
  const second = await room.start();
  await cut;
  expect(second.adopted).toBe(false);
  expect(await query(second.connectionString, 'select answer from kept')).toEqual([{ answer: 42 }]);
  await first.stop();
  await second.stop();
  expect(await room.processes()).toEqual([]);
}, 20_000);

test('a running server whose lock file was deleted is not joined by a second one', async () => {
  const room = await newRoom();
  await room.furnish();
  const first = await room.start();
  const lockFile = join(room.cluster, 'postmaster.pid');
  const text = await readFile(lockFile);
  await rm(lockFile);
  let settled = false;
  const second = room.start().finally(() => (settled = true));
  // It has looked, found no lock file, and is held off by the lock of the kernel.
  await query(first.connectionString, 'select pg_sleep(0.3)');
  expect(settled).toBe(false);
  expect(await readLockFile(room.cluster)).toEqual({ kind: 'absent' });
  await writeFile(lockFile, text, { mode: 0o600 });
  expect(await second).toMatchObject({ pid: first.pid, adopted: true });
}, 20_000);

test.each([
  { case: 'in the place of the cluster', directory: '18', version: '15' },
  { case: 'of another major version beside it', directory: '17', version: '17' },
])('a database $case is a clear error and stays untouched', async ({ directory, version }) => {
  const room = await newRoom();
  const old = join(room.dataDir, 'postgres', directory);
  await mkdir(old, { recursive: true });
  await writeFile(join(old, 'PG_VERSION'), `${version}\n`);
  await expect(room.start()).rejects.toMatchObject({
    code: 'PostgresWrongMajor',
    message: expect.stringMatching(`${old} holds a PostgreSQL ${version} database`),
    hint: expect.stringMatching(/DATABASE_URL/),
  });
  expect(await readFile(join(old, 'PG_VERSION'), 'utf8')).toBe(`${version}\n`);
});

test('a directory that is no database is refused, an empty one is used', async () => {
  const room = await newRoom();
  await mkdir(room.cluster, { recursive: true });
  await writeFile(join(room.cluster, 'notes.txt'), 'mine');
  await expect(room.start()).rejects.toMatchObject({ code: 'PostgresDataDirUnusable' });
  expect(await readFile(join(room.cluster, 'notes.txt'), 'utf8')).toBe('mine');
  await rm(join(room.cluster, 'notes.txt'));
  expect((await room.start()).adopted).toBe(false);
}, 20_000);
