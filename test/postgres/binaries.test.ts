import { chmod, chown, lstat, mkdir, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { findPackage } from '../../src/postgres/binaries.ts';
import { answerOf, copyPackage, exists, isRoot, query, useRooms } from './room.ts';

const newRoom = useRooms({ prepared: true });
const platform = Object.getOwnPropertyDescriptor(process, 'platform');
const nobody = { uid: 65_534, gid: 65_534 };

afterEach(() => {
  if (platform) Object.defineProperty(process, 'platform', platform);
});

async function programOf(pid: number): Promise<string> {
  return readlink(`/proc/${pid}/exe`);
}

test('where npm blocked the install script, the library links are made', async () => {
  const room = await newRoom();
  await room.furnish();
  const packageDir = await copyPackage(join(room.path, 'package'), { links: false });
  const server = await room.start({ packageDir });
  expect(await query(server.connectionString, 'select 1 as one')).toEqual([{ one: 1 }]);
  expect(await programOf(server.pid)).toBe(join(packageDir, 'native', 'bin', 'postgres'));
  expect(await readlink(join(packageDir, 'native', 'lib', 'libicuuc.so.60'))).toBe('libicuuc.so.60.2');
}, 30_000);

test.runIf(isRoot)(
  'where the package cannot be written, a copy in the data directory gets them',
  async () => {
    const room = await newRoom();
    const packageDir = await copyPackage(join(room.path, 'package'), { links: false });
    await chmod(join(packageDir, 'native', 'lib'), 0o555);
    await mkdir(room.dataDir, { mode: 0o700 });
    await chown(room.dataDir, nobody.uid, nobody.gid);
    const answer = await answerOf(room.starter({ packageDir }, nobody));
    expect(answer).toMatchObject({ adopted: false });
    expect((await programOf(answer.pid)).startsWith(join(room.dataDir, 'postgres', 'binaries-'))).toBe(true);
    expect(await exists(join(packageDir, 'native', 'lib', 'libicuuc.so.60'))).toBe(false);
  },
  30_000,
);

test.runIf(isRoot)(
  "where the server's user cannot read the package, it gets a copy, made once",
  async () => {
    const room = await newRoom();
    const packageDir = await copyPackage(join(room.path, 'private', 'package'), { links: true });
    await chmod(join(room.path, 'private'), 0o700);
    const root = join(room.dataDir, 'postgres');
    // Left by a start that was killed, and by an older version.
    await mkdir(join(root, 'binaries-18.0.0.new-1234', 'bin'), { recursive: true });
    await mkdir(join(root, 'binaries-18.0.0', 'bin'), { recursive: true });
    const options = { packageDir, userNamespaces: false };
    const first = await room.start(options);
    const copies = (await readdir(root)).filter(name => name.startsWith('binaries-'));
    expect(copies).toHaveLength(1);
    const copy = join(root, copies[0] ?? '');
    expect(await programOf(first.pid)).toBe(join(copy, 'bin', 'postgres'));
    await first.stop();
    const { ino } = await lstat(copy);
    await room.start(options);
    expect((await lstat(copy)).ino).toBe(ino);
  },
  30_000,
);

test('binaries that do not run are a clear error', async () => {
  const room = await newRoom();
  const packageDir = join(room.path, 'package');
  await mkdir(join(packageDir, 'native', 'bin'), { recursive: true });
  await writeFile(join(packageDir, 'package.json'), '{"version":"18.9.9"}');
  for (const name of ['initdb', 'postgres', 'pg_ctl']) {
    await writeFile(join(packageDir, 'native', 'bin', name), '#!/no/such/interpreter\n', { mode: 0o755 });
  }
  await writeFile(join(packageDir, 'native', 'pg-symlinks.json'), '[]');
  await expect(room.start({ packageDir })).rejects.toMatchObject({
    code: 'PostgresBinariesUnusable',
    hint: expect.stringContaining('DATABASE_URL'),
  });
  await rm(packageDir, { recursive: true });
});

test('a platform without binaries is told to bring its own server', async () => {
  Object.defineProperty(process, 'platform', { value: 'win32' });
  await expect(findPackage()).rejects.toMatchObject({
    code: 'PostgresUnsupportedPlatform',
    hint: expect.stringContaining('DATABASE_URL'),
  });
});
