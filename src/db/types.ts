import { createHash } from 'node:crypto';
import { builtinTypes } from '../../specs/type.ts';
import type { ServerType } from '../../specs/type.ts';
import type { TypeManifest } from '../../specs/types/manifest.ts';
import { keyNeed, programText, registeredType } from '../../specs/types/registered.ts';
import type { Queryable } from './pool.ts';

export type TypeSource = 'manifest' | 'server.json';

/** A registered type as it is stored. */
export interface TypeRow {
  readonly name: string;
  readonly manifest: TypeManifest;
  readonly version: number;
  readonly program_hash: string;
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

/** What a list tells of a registered type. */
export interface TypeSummaryRow extends Pick<TypeRow, 'name' | 'version' | 'source' | 'created_at' | 'updated_at'> {
  readonly title: string;
  readonly description: string;
  readonly key: ServerType['key'];
}

const columns = 'name, manifest, version, program_hash, source, document, created_at, updated_at';

/** The next registered types by name after `after`. Their manifests, which may be long, stay where they are. */
export async function readTypeSummaries(db: Queryable, after: string, limit: number): Promise<TypeSummaryRow[]> {
  const { rows } = await db.query<Omit<TypeSummaryRow, 'key'> & { secrets: boolean[] }>(
    // In the order of the built-in ones, among which they are put.
    `select t.name, t.version, t.source, t.created_at, t.updated_at, coalesce(m.title, t.name) as title, m.description,
       array(
         select (input.value ->> 'required')::boolean from json_each(m.inputs) input
         where (input.value ->> 'secret')::boolean
       ) as secrets
     from (select * from types where name collate "C" > $1 order by name collate "C" limit $2) t,
       json_to_record(t.manifest) as m (title text, description text, inputs json)
     order by t.name collate "C"`,
    [after, limit],
  );
  return rows.map(({ secrets, ...row }) => ({ ...row, key: keyNeed(secrets) }));
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
    `insert into types (name, manifest, program_hash, source, document) values ($1, $2, $3, $4, $5)
     on conflict (name) do nothing`,
    [type.name, JSON.stringify(type.manifest), programHash(type.manifest), type.source, JSON.stringify(type.document)],
  );
  return rowCount === 1;
}

/** Replaces a locked type. Processes made of another program are replaced, and no others. */
export async function updateType(db: Queryable, type: TypeWrite): Promise<void> {
  await db.query(
    `update types set manifest = $2, program_hash = $3, source = $4, document = $5, version = version + 1,
       updated_at = now()
     where name = $1`,
    [type.name, JSON.stringify(type.manifest), programHash(type.manifest), type.source, JSON.stringify(type.document)],
  );
}

/** Says which program a type runs and how it is asked for; the words for people are none of it. */
export function programHash(manifest: TypeManifest): string {
  return createHash('sha256').update(programText(manifest)).digest('hex');
}

export async function deleteType(db: Queryable, name: string): Promise<void> {
  await db.query('delete from types where name = $1', [name]);
}

/** An instance that is to run, with what its type and its api key make of it. */
export interface TypedInstance {
  readonly name: string;
  readonly config: Record<string, unknown>;
  readonly api_key: string | null;
  /** null = there is no such key. */
  readonly key_type: string | null;
  /** The names of its values; null = not known. */
  readonly key_fields: string[] | null;
}

/** The instances of a type that are to run, by name. */
export async function readInstancesToRun(db: Queryable, type: string): Promise<TypedInstance[]> {
  const { rows } = await db.query<TypedInstance>(
    `select i.name, i.config, i.api_key, k.type as key_type, k.fields as key_fields
     from instances i left join api_keys k on k.name = i.api_key
     where i.type = $1 and i.running and i.deletion_requested_at is null
       and (i.expires_at is null or i.expires_at > now())
     order by i.name`,
    [type],
  );
  return rows;
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
