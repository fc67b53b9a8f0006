import type { Queryable } from './pool.ts';

/** What an assignment needs beyond the instance itself. Sealed values are opened by the vault alone. */
export interface HandoverRow {
  readonly now: Date;
  readonly expires_at: Date | null;
  readonly token_version: number;
  readonly token_hash: Buffer;
  readonly key_uid: string | null;
  readonly key_name: string | null;
  readonly key_version: number | null;
  readonly key_data_key_id: string | null;
  readonly key_ciphertext: Buffer | null;
}

export async function readHandover(db: Queryable, instanceUid: string): Promise<HandoverRow | null> {
  const { rows } = await db.query<HandoverRow>(
    `select clock_timestamp() as now, i.expires_at, t.version as token_version, t.hash as token_hash,
       k.uid as key_uid, k.name as key_name, k.version as key_version, k.data_key_id as key_data_key_id,
       k.ciphertext as key_ciphertext
     from instances i
     join instance_tokens t on t.instance_uid = i.uid
     left join api_keys k on k.name = i.api_key
     where i.uid = $1`,
    [instanceUid],
  );
  return rows[0] ?? null;
}
