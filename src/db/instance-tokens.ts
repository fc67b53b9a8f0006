import type { Queryable } from './pool.ts';

/** The token of an instance: its hash for hosts, and sealed so that it can be shown again. */
export interface InstanceTokenRow {
  readonly version: number;
  readonly hash: Buffer;
  readonly data_key_id: string;
  readonly ciphertext: Buffer;
}

export async function readInstanceToken(db: Queryable, instanceUid: string): Promise<InstanceTokenRow | null> {
  const { rows } = await db.query<InstanceTokenRow>(
    'select version, hash, data_key_id, ciphertext from instance_tokens where instance_uid = $1',
    [instanceUid],
  );
  return rows[0] ?? null;
}

export interface InstanceTokenWrite {
  readonly version: number;
  readonly hash: Buffer;
  readonly dataKeyId: string;
  readonly ciphertext: Buffer;
}

/** Gives an instance its token, instead of the one it had. The caller holds the instance's lock. */
export async function writeInstanceToken(db: Queryable, instanceUid: string, token: InstanceTokenWrite): Promise<void> {
  await db.query(
    `insert into instance_tokens (instance_uid, version, hash, data_key_id, ciphertext)
     values ($1, $2, $3, $4, $5)
     on conflict (instance_uid) do update set version = excluded.version, hash = excluded.hash,
       data_key_id = excluded.data_key_id, ciphertext = excluded.ciphertext, created_at = now()`,
    [instanceUid, token.version, token.hash, token.dataKeyId, token.ciphertext],
  );
}
