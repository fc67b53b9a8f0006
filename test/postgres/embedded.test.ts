import { mkdir, readFile, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { startTestCluster } from '../support/postgres.ts';
import { exists, processesIn, query, statField, until, useRooms } from './room.ts';

const newRoom = useRooms({ prepared: true });

test('a first start makes a database of the promised kind', async () => {
  const room = await newRoom();
  const server = await room.start();
  expect(server.adopted).toBe(false);
  const [facts] = await query(
    server.connectionString,
    `select current_database() as database, current_user as "user", rolsuper as superuser, rolcreatedb as creates,
       pg_encoding_to_char(encoding) as encoding, datlocprovider as provider, datlocale as locale,
       current_setting('data_checksums') as checksums, current_setting('listen_addresses') as addresses,
       current_setting('fsync') as fsync, current_setting('server_version_num')::int / 10000 as major
     from pg_roles, pg_database where rolname = current_user and datname = current_database()`,
  );
  expect(facts).toEqual({
    database: 'minimcp',
    user: 'minimcp',
    superuser: false,
    creates: true,
    encoding: 'UTF8',
    provider: 'b',
    locale: 'C.UTF-8',
    checksums: 'on',
    addresses: '',
    fsync: 'off',
    major: 18,
  });
  expect((await stat(room.dataDir)).mode & 0o777).toBe(0o700);
  expect((await stat(room.cluster)).mode & 0o777).toBe(0o700);
  expect((await stat(join(room.dataDir, 'postgres', 'password'))).mode & 0o777).toBe(0o600);
  expect((await stat(join(room.cluster, '.s.PGSQL.5432'))).isSocket()).toBe(true);
}, 20_000);

test('nobody gets in without the password, and the superuser not at all', async () => {
  const room = await newRoom();
  await room.furnish();
  const { connectionString } = await room.start();
  const wrong = connectionString.replace(/:[^:@/]+@/, ':wrong@');
  await expect(query(wrong, 'select 1')).rejects.toMatchObject({ code: '28P01' });
  const superuser = connectionString.replace('//minimcp:', '//postgres:');
  await expect(query(superuser, 'select 1')).rejects.toMatchObject({ code: '28P01' });
}, 20_000);

test('the server knows nothing of our environment and leads a session of its own', async () => {
  const room = await newRoom();
  await room.furnish();
  process.env.MINIMCP_TEST_SECRET = 'hunter2';
  const server = await room.start().finally(() => delete process.env.MINIMCP_TEST_SECRET);
  const pids = await room.processes();
  expect(pids).toContain(server.pid);
  for (const pid of pids) {
    // A short-lived worker may be gone by now.
    const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
    expect(await read('environ')).not.toContain('hunter2');
    expect(await read('cmdline')).not.toMatch(/hunter2|password/);
  }
  const environment = (await readFile(`/proc/${server.pid}/environ`, 'utf8')).split('\0').filter(Boolean);
  const names = environment.map(entry => entry.split('=')[0]);
  // PGDATA, PG_GRANDPARENT_PID and such are pg_ctl's own; PWD, OLDPWD, SHLVL and _ the shell's.
  expect(names.filter(name => !/^(PATH|LC_ALL|TZ|PG[A-Z_]*|PWD|OLDPWD|SHLVL|_)$/.test(name ?? ''))).toEqual([]);
  expect(await statField(server.pid, 6)).not.toBe(await statField(process.pid, 6));
  expect(await statField(server.pid, 5)).not.toBe(await statField(process.pid, 5));
}, 20_000);

test('data outlives a stop, which may be called again and leaves no process', async () => {
  const room = await newRoom();
  await room.furnish();
  const first = await room.start();
  await query(first.connectionString, 'create table kept as select 42 as answer');
  await Promise.all([first.stop(), first.stop()]);
  await first.stop('immediate');
  expect(await room.processes()).toEqual([]);
  expect(await exists(join(room.cluster, 'postmaster.pid'))).toBe(false);
  const second = await room.start();
  expect(second.adopted).toBe(false);
  expect(await query(second.connectionString, 'select answer from kept')).toEqual([{ answer: 42 }]);
  // A handle to a server that is gone must not touch its successor.
  await first.stop();
  expect(await query(second.connectionString, 'select 1 as one')).toEqual([{ one: 1 }]);
}, 20_000);

test('a stop does not wait for clients, and tells them', async () => {
  const room = await newRoom();
  await room.furnish();
  const server = await room.start();
  const client = new Client({ connectionString: server.connectionString });
  client.on('error', () => {});
  await client.connect();
  const sleeping = expect(client.query('select pg_sleep(60)')).rejects.toMatchObject({ code: '57P01' });
  await server.stop();
  await sleeping;
  expect(await room.processes()).toEqual([]);
}, 20_000);

test('settings on top of ours are used, and nonsense is refused before anything starts', async () => {
  const room = await newRoom();
  await room.furnish();
  const nonsense = room.start({ settings: { "work_mem = '1MB'\nport": '1' } });
  await expect(nonsense).rejects.toMatchObject({ code: 'PostgresSettingInvalid' });
  const server = await room.start({ settings: { application_name: `it's "odd" \\ here`, work_mem: '7MB' } });
  const sql = `select current_setting('work_mem') as memory, current_setting('application_name') as name`;
  expect(await query(server.connectionString, sql)).toEqual([{ memory: '7MB', name: `it's "odd" \\ here` }]);
}, 20_000);

test('a refused setting fails the start with the reason the server gave', async () => {
  const room = await newRoom();
  await room.furnish();
  const start = room.start({ settings: { no_such_setting: '1' } });
  await expect(start).rejects.toMatchObject({
    code: 'PostgresStartFailed',
    message: expect.stringContaining('no_such_setting'),
  });
  expect(await room.processes()).toEqual([]);
  expect((await room.start()).adopted).toBe(false);
}, 20_000);

test('a data directory may have any name', async () => {
  const room = await newRoom();
  const dataDir = join(room.path, `o'd d, "$(touch ${room.path}/evil)" \`x\` %41 ü & ?#;`);
  const server = await room.start({ dataDir });
  expect(await query(server.connectionString, 'select 1 as one')).toEqual([{ one: 1 }]);
  await server.stop();
  expect(await exists(join(room.path, 'evil'))).toBe(false);
}, 20_000);

test('a path too long for a socket puts the socket into a private directory, gone after the stop', async () => {
  const room = await newRoom();
  const dataDir = join(room.path, 'long'.repeat(30));
  const server = await room.start({ dataDir });
  const directory = decodeURIComponent(new URL(server.connectionString).hostname);
  expect(directory.startsWith(tmpdir())).toBe(true);
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
  expect(await query(server.connectionString, 'select 1 as one')).toEqual([{ one: 1 }]);
  // Killed, its directory stays; the next start uses it again.
  process.kill(server.pid, 'SIGKILL');
  await until(async () => (await room.processes()).length === 0);
  const again = await room.start({ dataDir });
  expect(again.connectionString).toBe(server.connectionString);
  await again.stop();
  expect(await exists(directory)).toBe(false);

  // Someone else got the name first.
  await symlink(join(room.path, 'theirs'), directory);
  await mkdir(join(room.path, 'theirs'), { mode: 0o700 });
  const wary = await room.start({ dataDir });
  expect(wary.connectionString).not.toBe(server.connectionString);
  expect(await query(wary.connectionString, 'select 1 as one')).toEqual([{ one: 1 }]);
  await wary.stop();
  await rm(directory);
}, 20_000);

test('the cluster for other tests makes databases from templates and leaves nothing behind', async () => {
  const cluster = await startTestCluster();
  await query(cluster.connectionString, 'create database template_of_tests');
  await query(cluster.connectionString, 'create database one_test template template_of_tests');
  await query(cluster.connectionString, 'drop database one_test with (force)');
  await cluster.stop();
  expect(await processesIn(cluster.dataDir)).toEqual([]);
  expect(await exists(cluster.dataDir)).toBe(false);
}, 20_000);
