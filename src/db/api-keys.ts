import type { ApiKey } from '../../specs/api-key.ts';
import type { Queryable } from './pool.ts';

/** An api key without what it protects. */
interface ApiKeyRow {
  readonly name: string;
  readonly type: string;
  readonly version: number;
  readonly last_four: Record<string, string>;
  readonly used_by: string[];
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** An api key with its sealed values. */
export interface SealedApiKeyRow {
  readonly uid: string;
  readonly name: string;
  readonly type: string;
  readonly version: number;
  readonly data_key_id: string;
  readonly ciphertext: Buffer;
}

export interface ApiKeyWrite {
  readonly uid: string;
  readonly name: string;
  readonly type: string;
  readonly version: number;
  readonly dataKeyId: string;
  readonly ciphertext: Buffer;
  readonly lastFour: Readonly<Record<string, string>>;
  /** The names of the values. */
  readonly fields: readonly string[];
}

const columns = `k.name, k.type, k.version, k.last_four, k.created_at, k.updated_at,
  array(select i.name from instances i where i.api_key = k.name order by i.name) as used_by`;

/** The next api keys by name after `after`. */
export async function readApiKeys(db: Queryable, after: string, limit: number): Promise<ApiKey[]> {
  const { rows } = await db.query<ApiKeyRow>(
    `select ${columns} from api_keys k where k.name > $1 order by k.name limit $2`,
    [after, limit],
  );
  return rows.map(toApiKey);
}

export async function readApiKey(db: Queryable, name: string): Promise<ApiKey | null> {
  const { rows } = await db.query<ApiKeyRow>(`select ${columns} from api_keys k where k.name = $1`, [name]);
  return rows[0] === undefined ? null : toApiKey(rows[0]);
}

/** The type of an api key; null when there is no such key. */
export async function readApiKeyType(db: Queryable, name: string): Promise<string | null> {
  const { rows } = await db.query<{ type: string }>('select type from api_keys where name = $1', [name]);
  return rows[0]?.type ?? null;
}

/** The key with its sealed values, locked until the transaction ends. */
export async function lockApiKey(db: Queryable, name: string): Promise<SealedApiKeyRow | null> {
  const { rows } = await db.query<SealedApiKeyRow>(
    'select uid, name, type, version, data_key_id, ciphertext from api_keys where name = $1 for update',
    [name],
  );
  return rows[0] ?? null;
}

/** The types of the instances that refer to a key. */
export async function readTypesUsingKey(db: Queryable, name: string): Promise<string[]> {
  const { rows } = await db.query<{ type: string }>(
    'select distinct type from instances where api_key = $1 order by type',
    [name],
  );
  return rows.map(row => row.type);
}

/** Adds a key; false when the name is taken. */
export async function insertApiKey(db: Queryable, key: ApiKeyWrite): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into api_keys (uid, name, type, version, data_key_id, ciphertext, last_four, fields)
     values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (name) do nothing`,
    [key.uid, key.name, key.type, key.version, key.dataKeyId, key.ciphertext, JSON.stringify(key.lastFour), key.fields],
  );
  return rowCount === 1;
}

/** Replaces type and values of a locked key. */
export async function updateApiKey(db: Queryable, key: ApiKeyWrite): Promise<void> {
  await db.query(
    `update api_keys set type = $2, version = $3, data_key_id = $4, ciphertext = $5, last_four = $6, fields = $7,
       updated_at = now()
     where uid = $1`,
    [key.uid, key.type, key.version, key.dataKeyId, key.ciphertext, JSON.stringify(key.lastFour), key.fields],
  );
}

export async function deleteApiKey(db: Queryable, name: string): Promise<void> {
  await db.query('delete from api_keys where name = $1', [name]);
}

function toApiKey(row: ApiKeyRow): ApiKey {
  return {
    name: row.name,
    type: row.type,
    version: row.version,
    lastFour: row.last_four,
    usedBy: row.used_by,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  };
}
