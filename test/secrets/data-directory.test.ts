import { chmod, chown, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { secureDataDirectory } from '../../src/secrets/data-directory.ts';

const isRoot = process.geteuid?.() === 0;
let directory: string;
let names = 0;
const newPath = (): string => join(directory, `data-${++names}`);
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'minimcp-test-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

test('an absent directory is made for its owner alone, with those above it', async () => {
  const path = join(newPath(), 'deeper');
  await secureDataDirectory(path);
  for (const each of [path, join(path, '..')]) expect((await stat(each)).mode & 0o777).toBe(0o700);
  await secureDataDirectory(path);
});

test.each([0o700, 0o710, 0o750, 0o755])('our own of mode %o is taken as it is', async mode => {
  const path = newPath();
  await mkdir(path);
  await chmod(path, mode);
  await secureDataDirectory(path);
  expect((await stat(path)).mode & 0o777).toBe(mode);
});

test.each([0o770, 0o720, 0o702, 0o777, 0o1777])('one of mode %o is refused and says how to mend it', async mode => {
  const path = newPath();
  await mkdir(path);
  await chmod(path, mode);
  await expect(secureDataDirectory(path)).rejects.toMatchObject({
    code: 'DataDirectoryUnsafe',
    message: expect.stringContaining(`user ${process.geteuid?.()}`),
    hint: expect.stringContaining(`chmod go-w ${path}`),
  });
});

test.runIf(isRoot)("someone else's is refused, and says whose it is", async () => {
  const path = newPath();
  await mkdir(path, { mode: 0o700 });
  await chown(path, 54_321, 54_321);
  for (const options of [{}, { orRoot: true }]) {
    await expect(secureDataDirectory(path, options)).rejects.toMatchObject({
      code: 'DataDirectoryUnsafe',
      message: `${path} belongs to user 54321, and MiniMCP runs as user 0`,
      hint: expect.stringContaining('Run MiniMCP as user 54321'),
    });
  }
});

test('a link, also one that leads nowhere, and a file are refused', async () => {
  const [path, link, nowhere, file] = [newPath(), newPath(), newPath(), newPath()];
  await mkdir(path, { mode: 0o700 });
  await symlink(path, link);
  await symlink(join(path, 'none'), nowhere);
  await writeFile(file, '');
  for (const each of [link, nowhere, file]) {
    await expect(secureDataDirectory(each)).rejects.toMatchObject({ code: 'DataDirectoryUnsafe' });
  }
});
