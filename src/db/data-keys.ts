import type { Queryable } from './pool.ts';

export interface DataKeyRow {
  readonly id: string;
  readonly wrapped: Buffer;
  readonly active: boolean;
}

const columns = 'id, wrapped, retired_at is null as active';

/** Every data key, also those that are retired: values may still be sealed under them. */
export async function readDataKeys(db: Queryable): Promise<DataKeyRow[]> {
  const { rows } = await db.query<DataKeyRow>(`select ${columns} from data_keys order by created_at, id`);
  return rows;
}

export async function readDataKey(db: Queryable, id: string): Promise<DataKeyRow | null> {
  const { rows } = await db.query<DataKeyRow>(`select ${columns} from data_keys where id = $1`, [id]);
  return rows[0] ?? null;
}

/** Adds the active data key; does nothing when there is one. */
export async function insertDataKey(db: Queryable, id: string, wrapped: Buffer): Promise<void> {
  await db.query('insert into data_keys (id, wrapped) values ($1, $2) on conflict do nothing', [id, wrapped]);
}
