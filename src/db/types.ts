import { builtinTypes } from '../../specs/type.ts';
import type { ServerType } from '../../specs/type.ts';
import type { TypeManifest } from '../../specs/types/manifest.ts';
import { registeredType } from '../../specs/types/registered.ts';
import type { Queryable } from './pool.ts';

export type TypeSource = 'manifest' | 'server.json';

/** A registered type as it is stored. */
export interface TypeRow {
  readonly name: string;
  readonly manifest: TypeManifest;
  readonly version: number;
  readonly process_version: number;
  readonly source: TypeSource;
  readonly document: Record<string, unknown>;
  readonly created_at: Date;
  readonly updated_at: Date;
}

export interface TypeWrite {
  readonly name: string;
  readonly manifest: TypeManifest;
  readonly source: TypeSource;
  /** As it was sent. */
  readonly document: object;
}

const columns = 'name, manifest, version, process_version, source, document, created_at, updated_at';

/** The next registered types by name after `after`. */
export async function readTypeRows(db: Queryable, after: string, limit: number): Promise<TypeRow[]> {
  const { rows } = await db.query<TypeRow>(
    // In the order of the built-in ones, among which they are put.
    `select ${columns} from types where name collate "C" > $1 order by name collate "C" limit $2`,
    [after, limit],
  );
  return rows;
}

export async function readTypeRow(db: Queryable, name: string): Promise<TypeRow | null> {
  const { rows } = await db.query<TypeRow>(`select ${columns} from types where name = $1`, [name]);
  return rows[0] ?? null;
}

/** A registered type, locked until the transaction ends. */
export async function lockType(db: Queryable, name: string): Promise<TypeRow | null> {
  const { rows } = await db.query<TypeRow>(`select ${columns} from types where name = $1 for update`, [name]);
  return rows[0] ?? null;
}

/**
 * The server type of that name, built in or registered; null when there is none. Until the transaction ends it
 * neither goes nor changes, so what was checked against it is stored before it can.
 */
export async function holdType(db: Queryable, name: string): Promise<ServerType | null> {
  const builtin = builtinTypes.get(name);
  if (builtin !== undefined) return builtin;
  const { rows } = await db.query<{ manifest: TypeManifest }>('select manifest from types where name = $1 for share', [
    name,
  ]);
  return rows[0] === undefined ? null : registeredType(name, rows[0].manifest);
}

/** The names of all types, the first `limit` of them. */
export async function readTypeNames(db: Queryable, limit: number): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>('select name from types order by name limit $1', [limit]);
  return [...builtinTypes.keys(), ...rows.map(row => row.name)].toSorted().slice(0, limit);
}

/** Adds a type; false when the name is taken. */
export async function insertType(db: Queryable, type: TypeWrite): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into types (name, manifest, source, document) values ($1, $2, $3, $4) on conflict (name) do nothing`,
    [type.name, JSON.stringify(type.manifest), type.source, JSON.stringify(type.document)],
  );
  return rowCount === 1;
}

/** Replaces a locked type; `rolls` = processes made of the version before are replaced. */
export async function updateType(db: Queryable, type: TypeWrite, rolls: boolean): Promise<void> {
  await db.query(
    `update types set manifest = $2, source = $3, document = $4, version = version + 1, updated_at = now(),
       process_version = case when $5 then version + 1 else process_version end
     where name = $1`,
    [type.name, JSON.stringify(type.manifest), type.source, JSON.stringify(type.document), rolls],
  );
}

export async function deleteType(db: Queryable, name: string): Promise<void> {
  await db.query('delete from types where name = $1', [name]);
}

export interface TypeUsers {
  readonly instances: string[];
  readonly api_keys: string[];
}

/** The names of what uses a type, the first `limit` of each. */
export async function readTypeUsers(db: Queryable, name: string, limit: number): Promise<TypeUsers> {
  const { rows } = await db.query<TypeUsers>(
    `select array(select name from instances where type = $1 order by name limit $2) as instances,
       array(select name from api_keys where type = $1 order by name limit $2) as api_keys`,
    [name, limit],
  );
  return rows[0]!;
}
