import type { Pool } from '../../src/db/pool.ts';

const tables = [
  'instances',
  'instance_tokens',
  'api_keys',
  'types',
  'idempotency_keys',
  'events',
  'changes',
  'statuses',
  'placements',
  'attempts',
  'expiries',
  'observations',
];

/** Every row that a write of the API, or one it must not do, could touch: equal before and after = nothing written. */
export async function readAllRows(pool: Pool): Promise<Record<string, unknown[]>> {
  const all: Record<string, unknown[]> = {};
  for (const table of tables) {
    const { rows } = await pool.query<{ row: unknown }>(`select to_jsonb(t) as row from ${table} t order by 1`);
    all[table] = rows.map(({ row }) => row);
  }
  return all;
}

/** The only row of a statement, as JSON has it. */
export async function readRow(
  pool: Pool,
  statement: string,
  ...parameters: unknown[]
): Promise<Record<string, unknown>> {
  const { rows } = await pool.query<{ row: Record<string, unknown> }>(
    `select to_jsonb(t) as row from (${statement}) t`,
    parameters,
  );
  if (rows.length !== 1) throw new Error(`${rows.length} rows of: ${statement}`);
  return rows[0]!.row;
}
