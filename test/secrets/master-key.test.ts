import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadMasterKey } from '../../src/secrets/master-key.ts';
import { createPrivateFile, readPrivateFile } from '../../src/secrets/private-file.ts';

const isRoot = process.geteuid?.() === 0;
let directory: string;
let files = 0;
const newPath = (): string => join(directory, `dir-${++files}`, 'master.key');
const notNeeded = async (): Promise<boolean> => false;
const needed = async (): Promise<boolean> => true;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'minimcp-test-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

test('the first start makes 32 random bytes that only the owner can read', async () => {
  const path = newPath();
  const key = await loadMasterKey(path, notNeeded);
  expect(key).toHaveLength(32);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await stat(join(path, '..'))).mode & 0o777).toBe(0o700);
  expect(await readFile(path)).toEqual(key);
  expect(await loadMasterKey(newPath(), notNeeded)).not.toEqual(key);
});

test('later starts read it again', async () => {
  const path = newPath();
  const key = await loadMasterKey(path, notNeeded);
  expect(await loadMasterKey(path, needed)).toEqual(key);
});

test('many first starts at once agree on one key and leave no drafts', async () => {
  const path = newPath();
  const keys = await Promise.all(Array.from({ length: 20 }, () => loadMasterKey(path, notNeeded)));
  expect(new Set(keys.map(key => key.toString('hex'))).size).toBe(1);
  expect(await readdir(join(path, '..'))).toEqual(['master.key']);
});

test.each([0o640, 0o604, 0o660, 0o666, 0o620])('mode %o is refused and says how to mend it', async mode => {
  const path = newPath();
  await loadMasterKey(path, notNeeded);
  await chmod(path, mode);
  await expect(loadMasterKey(path, notNeeded)).rejects.toMatchObject({
    code: 'PrivateFileExposed',
    hint: expect.stringContaining(`chmod 600 ${path}`),
  });
});

test('a missing file is not replaced when the database holds secrets', async () => {
  const path = newPath();
  await expect(loadMasterKey(path, needed)).rejects.toMatchObject({ code: 'MasterKeyMissing' });
  await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('a file that another process made meanwhile is taken', async () => {
  const path = newPath();
  const other = await loadMasterKey(newPath(), notNeeded);
  const key = await loadMasterKey(path, async () => {
    await createPrivateFile(path, other);
    return true;
  });
  expect(key).toEqual(other);
});

test.each([0, 31, 33, 64])('a file of %i bytes is no master key', async length => {
  const path = newPath();
  await createPrivateFile(path, Buffer.alloc(length));
  await expect(loadMasterKey(path, notNeeded)).rejects.toMatchObject({ code: 'MasterKeyInvalid' });
});

test('a directory in its place is refused', async () => {
  const path = newPath();
  await mkdir(path, { recursive: true });
  await expect(loadMasterKey(path, notNeeded)).rejects.toMatchObject({ code: 'PrivateFileUnreadable' });
});

test('a link to a private file is refused, and a pipe without waiting for its writer', async () => {
  const path = newPath();
  await loadMasterKey(path, notNeeded);
  await symlink(path, `${path}.link`);
  await expect(loadMasterKey(`${path}.link`, notNeeded)).rejects.toMatchObject({
    code: 'PrivateFileUnreadable',
    message: expect.stringContaining('is a link'),
  });
  execFileSync('/usr/bin/mkfifo', ['-m', '600', `${path}.pipe`]);
  await expect(loadMasterKey(`${path}.pipe`, notNeeded)).rejects.toMatchObject({ code: 'PrivateFileUnreadable' });
});

test.runIf(isRoot)("someone else's file is refused, however private", async () => {
  const path = newPath();
  await loadMasterKey(path, notNeeded);
  await chown(path, 65_534, 65_534);
  await expect(loadMasterKey(path, notNeeded)).rejects.toMatchObject({
    code: 'PrivateFileForeign',
    message: expect.stringContaining('user 65534'),
  });
});

test('a directory that others may write to is refused, and nothing is made in it', async () => {
  const path = newPath();
  await mkdir(dirname(path));
  await chmod(dirname(path), 0o777);
  await expect(loadMasterKey(path, notNeeded)).rejects.toMatchObject({ code: 'DataDirectoryUnsafe' });
  expect(await readdir(dirname(path))).toEqual([]);
});

test('a private file is never replaced', async () => {
  const path = newPath();
  expect(await createPrivateFile(path, 'first')).toBe(true);
  expect(await createPrivateFile(path, 'second')).toBe(false);
  expect((await readPrivateFile(path))?.toString()).toBe('first');
  await writeFile(path, 'x');
  expect(await readPrivateFile(`${path}.none`)).toBe(null);
});
