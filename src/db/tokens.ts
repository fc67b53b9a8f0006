import type { Queryable } from './pool.ts';

export const scopes = ['read', 'write', 'access', 'admin'] as const;
export type Scope = (typeof scopes)[number];

export interface TokenRow {
  readonly id: string;
  readonly name: string;
  readonly hash: Buffer;
  readonly scopes: Scope[];
  readonly expires_at: Date | null;
  /** It is time to note that the token is in use. */
  readonly use_is_stale: boolean;
}

/** The token with this SHA-256; null when there is none or it has expired. */
export async function readTokenByHash(db: Queryable, hash: Buffer): Promise<TokenRow | null> {
  const { rows } = await db.query<TokenRow>({
    name: 'token-by-hash',
    text: `select id, name, hash, scopes, expires_at,
       (last_used_at is null or last_used_at < now() - interval '1 minute') as use_is_stale
     from tokens where hash = $1 and (expires_at is null or expires_at > now())`,
    values: [hash],
  });
  return rows[0] ?? null;
}

/** Notes that a token is in use, at most once a minute: reading must not cost a write. */
export async function touchToken(db: Queryable, id: string): Promise<void> {
  await db.query(
    `update tokens set last_used_at = now()
     where id = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')`,
    [id],
  );
}

/** Which of these tokens are still good. */
export async function readLiveTokens(db: Queryable, ids: readonly string[]): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    'select id from tokens where id = any($1) and (expires_at is null or expires_at > now())',
    [ids],
  );
  return rows.map(row => row.id);
}

/** Makes sure that this hash is a token with every right; under a name that exists, the new hash replaces the old. */
export async function writeAdminToken(db: Queryable, name: string, hash: Buffer): Promise<void> {
  await db.query(
    `insert into tokens (name, hash, scopes)
     select $1, $2, array['admin'] where not exists (select from tokens where hash = $2 and 'admin' = any(scopes))
     on conflict (name) do update set hash = excluded.hash, scopes = excluded.scopes, expires_at = null`,
    [name, hash],
  );
}
