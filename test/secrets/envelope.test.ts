import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { apiKeyAad, instanceTokenAad, openVault } from '../../src/secrets/envelope.ts';
import { createPrivateFile } from '../../src/secrets/private-file.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';

let directory: string;
let database: TestDatabase;
let masterKeyFile: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'minimcp-test-'));
  masterKeyFile = join(directory, 'master.key');
  database = await createTestDatabase();
});
afterAll(async () => {
  await database.close();
  await rm(directory, { recursive: true, force: true });
});

const open = () => openVault({ pool: database.pool, masterKeyFile });
const unreadable = { code: 'SecretUnreadable' };

test('several first starts make one data key, and each opens what another sealed', async () => {
  const vaults = await Promise.all([open(), open(), open(), open()]);
  const { rows } = await database.pool.query('select retired_at from data_keys');
  expect(rows).toEqual([{ retired_at: null }]);
  const sealed = vaults[0].seal('secret ✓', 'row:1');
  for (const vault of [...vaults, await open()]) {
    expect(await vault.open(sealed.dataKeyId, sealed.ciphertext, 'row:1')).toBe('secret ✓');
  }
});

test('what is stored shows nothing and is never the same twice', async () => {
  const vault = await open();
  const one = vault.seal('the same secret', 'row:1');
  const two = vault.seal('the same secret', 'row:1');
  expect(one.ciphertext.includes('secret')).toBe(false);
  expect(one.ciphertext.equals(two.ciphertext)).toBe(false);
  const { rows } = await database.pool.query<{ wrapped: Buffer }>('select wrapped from data_keys');
  // Format, nonce and tag around the 32 bytes of the key.
  expect(rows[0]!.wrapped).toHaveLength(1 + 12 + 16 + 32);
});

test('a value opens for its own row and version alone', async () => {
  const vault = await open();
  const uid = randomUUID();
  const { dataKeyId, ciphertext } = vault.seal('v', apiKeyAad(uid, 'k', 1));
  expect(await vault.open(dataKeyId, ciphertext, apiKeyAad(uid, 'k', 1))).toBe('v');
  for (const aad of [
    apiKeyAad(uid, 'k', 2),
    apiKeyAad(uid, 'l', 1),
    apiKeyAad(randomUUID(), 'k', 1),
    instanceTokenAad(uid, 1),
    '',
  ]) {
    await expect(vault.open(dataKeyId, ciphertext, aad)).rejects.toMatchObject(unreadable);
  }
});

test('one changed bit anywhere, a shorter tag or another data key does not open', async () => {
  const vault = await open();
  const { dataKeyId, ciphertext } = vault.seal('value', 'row:1');
  for (let at = 0; at < ciphertext.length; at++) {
    const damaged = Buffer.from(ciphertext);
    damaged[at]! ^= 1;
    await expect(vault.open(dataKeyId, damaged, 'row:1')).rejects.toMatchObject(unreadable);
  }
  for (const length of [0, 1, 12, 28, ciphertext.length - 1]) {
    await expect(vault.open(dataKeyId, ciphertext.subarray(0, length), 'row:1')).rejects.toMatchObject(unreadable);
  }
  await expect(vault.open(randomUUID(), ciphertext, 'row:1')).rejects.toMatchObject(unreadable);
});

test('errors do not repeat what was sealed', async () => {
  const vault = await open();
  const { dataKeyId, ciphertext } = vault.seal('hunter2-hunter2', 'row:1');
  const error = await vault.open(dataKeyId, ciphertext, 'row:2').catch((caught: Error) => caught);
  expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain('hunter2');
});

test('a wrong master key stops the start', async () => {
  const wrong = join(directory, 'wrong.key');
  await createPrivateFile(wrong, randomBytes(32));
  await expect(openVault({ pool: database.pool, masterKeyFile: wrong })).rejects.toMatchObject({
    code: 'MasterKeyWrong',
    message: expect.stringContaining(wrong),
    hint: expect.stringContaining('MINIMCP_MASTER_KEY_FILE'),
  });
});

test('a lost master key is not replaced', async () => {
  await expect(openVault({ pool: database.pool, masterKeyFile: join(directory, 'none.key') })).rejects.toMatchObject({
    code: 'MasterKeyMissing',
  });
});

test('a data key that was rotated in later, and one that was retired, both open', async () => {
  const early = await open();
  const old = early.seal('old', 'row:1');
  await database.pool.query('update data_keys set retired_at = now() where retired_at is null');
  const late = await open();
  const fresh = late.seal('fresh', 'row:2');
  expect(fresh.dataKeyId).not.toBe(old.dataKeyId);
  expect(await late.open(old.dataKeyId, old.ciphertext, 'row:1')).toBe('old');
  expect(await early.open(fresh.dataKeyId, fresh.ciphertext, 'row:2')).toBe('fresh');
});

test('control tokens are the same in every process, and another for each attempt and master key', async () => {
  const [one, two] = [await open(), await open()];
  const attempt = randomUUID();
  const token = one.controlToken(attempt);
  expect(token).toMatch(/^mmcc_[\w-]{43}$/);
  expect(two.controlToken(attempt)).toBe(token);
  expect(one.controlToken(randomUUID())).not.toBe(token);
  const elsewhere = await createTestDatabase();
  const other = await openVault({ pool: elsewhere.pool, masterKeyFile: join(directory, 'other.key') });
  expect(other.controlToken(attempt)).not.toBe(token);
  await elsewhere.close();
});
