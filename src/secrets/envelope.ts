import { hkdfSync, randomBytes, randomUUID } from 'node:crypto';
import { insertDataKey, readDataKey, readDataKeys } from '../db/data-keys.ts';
import type { DataKeyRow } from '../db/data-keys.ts';
import type { Pool } from '../db/pool.ts';
import { MiniMcpError } from '../errors.ts';
import { decrypt, encrypt } from './aead.ts';
import { loadMasterKey, masterKeyBytes } from './master-key.ts';

export interface Sealed {
  readonly dataKeyId: string;
  readonly ciphertext: Buffer;
}

/** Seals and opens values at rest. Everything in it is safe to hold; nothing of it is safe to print. */
export interface Vault {
  /** Seals under the active data key. `aad` names row and version, see `apiKeyAad` and `instanceTokenAad`. */
  seal(plaintext: string, aad: string): Sealed;
  /** The plaintext. Throws `SecretUnreadable` when the row, its version or its bytes are not what was sealed. */
  open(dataKeyId: string, ciphertext: Buffer, aad: string): Promise<string>;
  /** The token by which controllers speak to an attempt's host: the same in every process with the master key. */
  controlToken(attemptId: string): string;
}

/** What an api key's values are bound to. */
export function apiKeyAad(uid: string, name: string, version: number): string {
  return `api-key:${uid}:${name}:v${version}`;
}

/** What an instance's token is bound to. */
export function instanceTokenAad(instanceUid: string, version: number): string {
  return `instance-token:${instanceUid}:v${version}`;
}

/**
 * Two layers: the master key in its file wraps data keys in the database, and a data key seals values.
 * On the first start both are made. Throws `MasterKeyWrong` when the file is not the one that wrapped what
 * the database has, and what `loadMasterKey` throws.
 */
export async function openVault({ pool, masterKeyFile }: { pool: Pool; masterKeyFile: string }): Promise<Vault> {
  const masterKey = await loadMasterKey(masterKeyFile, async () => (await readDataKeys(pool)).length > 0);
  const dataKeys = new Map<string, Buffer>();

  const unwrap = (row: DataKeyRow): Buffer => {
    const key = decrypt(masterKey, row.wrapped, dataKeyAad(row.id));
    if (key === null) {
      throw new MiniMcpError(
        'MasterKeyWrong',
        `${masterKeyFile} is not the master key that this database was made with`,
        {
          hint: 'Put the right file back, or name it with MINIMCP_MASTER_KEY_FILE',
        },
      );
    }
    dataKeys.set(row.id, key);
    return key;
  };

  let rows = await readDataKeys(pool);
  if (!rows.some(row => row.active)) {
    const id = randomUUID();
    // Of several first starts one row wins; a process with another master key then fails to unwrap it.
    await insertDataKey(pool, id, encrypt(masterKey, randomBytes(masterKeyBytes), dataKeyAad(id)));
    rows = await readDataKeys(pool);
  }
  for (const row of rows) unwrap(row);
  const active = rows.find(row => row.active);
  if (active === undefined) throw new Error('the database kept no active data key');

  return {
    seal(plaintext, aad) {
      return { dataKeyId: active.id, ciphertext: encrypt(dataKeys.get(active.id)!, Buffer.from(plaintext), aad) };
    },
    async open(dataKeyId, ciphertext, aad) {
      let key = dataKeys.get(dataKeyId);
      if (key === undefined) {
        // Made by another process after this one started.
        const row = await readDataKey(pool, dataKeyId);
        if (row !== null) key = unwrap(row);
      }
      const plaintext = key === undefined ? null : decrypt(key, ciphertext, aad);
      if (plaintext === null) {
        throw new MiniMcpError('SecretUnreadable', `what is stored for ${aad} was not sealed for it`, {
          hint: 'The row was changed by hand or damaged; write the secret again',
        });
      }
      return plaintext.toString();
    },
    controlToken(attemptId) {
      const bytes = hkdfSync('sha256', masterKey, '', `minimcp control token v1 ${attemptId}`, 32);
      return `mmcc_${Buffer.from(bytes).toString('base64url')}`;
    },
  };
}

function dataKeyAad(id: string): string {
  return `data-key:${id}`;
}
