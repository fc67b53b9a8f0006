import type { Resources, RestartPolicy } from '../../specs/instance.ts';
import type { Labels } from '../../specs/name.ts';
import type { Queryable } from './pool.ts';

/** Desired state as it is stored; times are the database's. */
export interface InstanceRow {
  readonly uid: string;
  readonly name: string;
  readonly labels: Labels;
  readonly type: string;
  readonly api_key: string | null;
  readonly config: Record<string, unknown>;
  readonly ttl: string | null;
  readonly expires_at: Date | null;
  readonly running: boolean;
  readonly restart: RestartPolicy;
  readonly resources: Resources;
  readonly generation: number;
  readonly process_generation: number;
  readonly desired_version: number;
  readonly deletion_requested_at: Date | null;
}

/** What a declaration sets. */
export interface InstanceWrite {
  readonly labels: Labels;
  readonly type: string;
  readonly apiKey: string | null;
  /** Checked by the type's schema, defaults filled in. */
  readonly config: Record<string, unknown>;
  /** The lease's length as it was written; null when it was given as a time. */
  readonly ttl: string | null;
  readonly expiresAt: Date | null;
  readonly running: boolean;
  readonly restart: RestartPolicy;
  readonly resources: Resources;
}

const columns = `uid, name, labels, type, api_key, config, ttl, expires_at, running, restart, resources,
  generation, process_generation, desired_version, deletion_requested_at`;

/** Adds an instance of generation 1; false when the name is taken. */
export async function insertInstance(
  db: Queryable,
  uid: string,
  name: string,
  instance: InstanceWrite,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into instances (uid, name, labels, type, api_key, config, ttl, expires_at, running, restart, resources)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
     on conflict (name) do nothing`,
    [uid, name, ...values(instance)],
  );
  return rowCount === 1;
}

/** Desired state by name, locked until the transaction ends; null when there is no such instance. */
export async function lockInstance(db: Queryable, name: string): Promise<InstanceRow | null> {
  const { rows } = await db.query<InstanceRow>(`select ${columns} from instances where name = $1 for update`, [name]);
  return rows[0] ?? null;
}

/** Replaces the desired state of a locked instance; every call makes a new resource version. */
export async function updateInstance(
  db: Queryable,
  uid: string,
  instance: InstanceWrite & { readonly generation: number; readonly processGeneration: number },
): Promise<void> {
  await db.query(
    `update instances set labels = $2, type = $3, api_key = $4, config = $5, ttl = $6, expires_at = $7, running = $8,
       restart = $9, resources = $10, generation = $11, process_generation = $12
     where uid = $1`,
    [uid, ...values(instance), instance.generation, instance.processGeneration],
  );
}

/** Asks for the deletion of an instance for which nobody has asked yet. */
export async function requestDeletion(db: Queryable, uid: string): Promise<void> {
  await db.query(
    `update instances set deletion_requested_at = date_trunc('milliseconds', clock_timestamp())
     where uid = $1 and deletion_requested_at is null`,
    [uid],
  );
}

/** Whether the instance's row is still there. */
export async function instanceExists(db: Queryable, uid: string): Promise<boolean> {
  const { rows } = await db.query('select from instances where uid = $1', [uid]);
  return rows.length > 0;
}

function values(instance: InstanceWrite): unknown[] {
  return [
    JSON.stringify(instance.labels),
    instance.type,
    instance.apiKey,
    JSON.stringify(instance.config),
    instance.ttl,
    instance.expiresAt,
    instance.running,
    instance.restart,
    JSON.stringify(instance.resources),
  ];
}
