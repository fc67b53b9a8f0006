import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { adminTokenFile, ensureAdminToken } from '../../src/secrets/admin-token.ts';
import { generateToken, hashToken, isToken } from '../../src/secrets/api-token.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';

let directory: string;
let database: TestDatabase;
let directories = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'minimcp-test-'));
  database = await createTestDatabase();
});
afterAll(async () => {
  await database.close();
  await rm(directory, { recursive: true, force: true });
});

const newConfig = (node = `node-${++directories}`) => ({ dataDir: join(directory, `data-${++directories}`), node });

async function readToken(node: string) {
  const { rows } = await database.pool.query('select hash, scopes, expires_at from tokens where name = $1', [
    `admin@${node}`,
  ]);
  return rows;
}

test('tokens have their prefix, 30 random characters and a checksum', () => {
  for (const prefix of ['mmcp_', 'mmci_'] as const) {
    const token = generateToken(prefix);
    expect(token).toMatch(new RegExp(`^${prefix}[0-9A-Za-z]{36}$`));
    expect(isToken(prefix, token)).toBe(true);
    expect(generateToken(prefix)).not.toBe(token);
  }
  expect(isToken('mmcp_', generateToken('mmci_'))).toBe(false);
});

test('a single wrong, missing or additional character is noticed', () => {
  fc.assert(
    fc.property(fc.nat(40), fc.constantFrom('0', '1', '9', 'A', 'Z', 'a', 'z', '_', '-', ' '), (at, character) => {
      const token = generateToken('mmcp_');
      const wrong = token.slice(0, at) + character + token.slice(at + 1);
      expect(isToken('mmcp_', wrong)).toBe(wrong === token);
      expect(isToken('mmcp_', token.slice(0, at) + token.slice(at + 1))).toBe(false);
      expect(isToken('mmcp_', token.slice(0, at) + character + token.slice(at))).toBe(false);
    }),
  );
  expect(isToken('mmcp_', '')).toBe(false);
  expect(isToken('mmcp_', `${generateToken('mmcp_')}\n`)).toBe(false);
});

test('every character is equally likely', () => {
  const counts = new Map<string, number>();
  const tokens = 4_000;
  for (let i = 0; i < tokens; i++) {
    for (const character of generateToken('mmcp_').slice(5, 35))
      counts.set(character, (counts.get(character) ?? 0) + 1);
  }
  const expected = (tokens * 30) / 62;
  expect(counts.size).toBe(62);
  const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  // 61 degrees of freedom: above 140 once in ten million runs; taking bytes modulo 62 gives about 900.
  expect(chiSquare).toBeLessThan(140);
});

test('the first start writes the admin token for its owner alone, and the database knows its hash', async () => {
  const config = newConfig();
  const token = await ensureAdminToken(database.pool, config);
  const path = adminTokenFile(config);
  expect((await readFile(path, 'utf8')).trim()).toBe(token);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await stat(config.dataDir)).mode & 0o777).toBe(0o700);
  expect(await readToken(config.node)).toEqual([{ hash: hashToken(token), scopes: ['admin'], expires_at: null }]);
});

test('later starts keep it, also several at once and under another node name', async () => {
  const config = newConfig();
  const tokens = await Promise.all(Array.from({ length: 5 }, () => ensureAdminToken(database.pool, config)));
  expect(new Set(tokens).size).toBe(1);
  expect(await ensureAdminToken(database.pool, { ...config, node: 'renamed' })).toBe(tokens[0]);
  expect(await readToken('renamed')).toEqual([]);
  expect(await readToken(config.node)).toHaveLength(1);
});

test('a new database works with the old file', async () => {
  const config = newConfig();
  const token = await ensureAdminToken(database.pool, config);
  await database.pool.query('delete from tokens where name = $1', [`admin@${config.node}`]);
  expect(await ensureAdminToken(database.pool, config)).toBe(token);
  expect(await readToken(config.node)).toMatchObject([{ hash: hashToken(token) }]);
});

test('a removed file is replaced by a new token, and the old one is worth nothing', async () => {
  const config = newConfig();
  await ensureAdminToken(database.pool, config);
  await rm(adminTokenFile(config));
  const token = await ensureAdminToken(database.pool, config);
  expect(await readToken(config.node)).toMatchObject([{ hash: hashToken(token) }]);
});

test('a data directory that others could read becomes private', async () => {
  const config = newConfig();
  await ensureAdminToken(database.pool, config);
  await chmod(config.dataDir, 0o755);
  await ensureAdminToken(database.pool, config);
  expect((await stat(config.dataDir)).mode & 0o777).toBe(0o710);
  // The way through for the group of the embedded database stays.
  await ensureAdminToken(database.pool, config);
  expect((await stat(config.dataDir)).mode & 0o777).toBe(0o710);
});

test("a data directory of someone else's choice is refused before anything in it is used", async () => {
  const config = newConfig();
  await mkdir(config.dataDir, { mode: 0o700 });
  await chmod(config.dataDir, 0o770);
  await expect(ensureAdminToken(database.pool, config)).rejects.toMatchObject({ code: 'DataDirectoryUnsafe' });
  expect(await readdir(config.dataDir)).toEqual([]);
});

test('a file that others can read, or that holds something else, stops the start', async () => {
  const config = newConfig();
  await ensureAdminToken(database.pool, config);
  const path = adminTokenFile(config);
  await chmod(path, 0o644);
  await expect(ensureAdminToken(database.pool, config)).rejects.toMatchObject({ code: 'PrivateFileExposed' });
  await chmod(path, 0o600);
  await writeFile(path, 'mmcp_000000000000000000000000000000000000');
  await expect(ensureAdminToken(database.pool, config)).rejects.toMatchObject({ code: 'AdminTokenInvalid' });
});
