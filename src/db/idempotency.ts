import type { Queryable } from './pool.ts';

/** What was answered to the first request with a key; null while its transaction has not said. */
export interface IdempotencyRow {
  readonly request_hash: Buffer;
  readonly response_status: number | null;
  readonly response_body: unknown;
}

/**
 * Reserves a key of a token for this transaction; false when it is taken. While another transaction holds
 * it, this waits for that one's outcome, so of two equal requests only one does the work.
 */
export async function reserveIdempotencyKey(
  db: Queryable,
  tokenId: string,
  key: string,
  requestHash: Buffer,
): Promise<boolean> {
  const { rowCount } = await db.query(
    'insert into idempotency_keys (token_id, key, request_hash) values ($1, $2, $3) on conflict do nothing',
    [tokenId, key, requestHash],
  );
  return rowCount === 1;
}

export async function readIdempotencyKey(db: Queryable, tokenId: string, key: string): Promise<IdempotencyRow | null> {
  const { rows } = await db.query<IdempotencyRow>(
    'select request_hash, response_status, response_body from idempotency_keys where token_id = $1 and key = $2',
    [tokenId, key],
  );
  return rows[0] ?? null;
}

/** Keeps the answer for those who ask again. */
export async function storeIdempotentResponse(
  db: Queryable,
  tokenId: string,
  key: string,
  status: number,
  body: unknown,
): Promise<void> {
  await db.query(
    'update idempotency_keys set response_status = $3, response_body = $4 where token_id = $1 and key = $2',
    [tokenId, key, status, JSON.stringify(body)],
  );
}
