import { randomBytes, randomUUIDv7 } from 'node:crypto';
import type { Instance } from '../../specs/instance.ts';
import { appendEvent } from '../db/events.ts';
import { readInstanceByName, toInstance } from '../db/instance-view.ts';
import { readInstanceToken, writeInstanceToken } from '../db/instance-tokens.ts';
import { insertInstance, updateInstance } from '../db/instances.ts';
import type { InstanceRow } from '../db/instances.ts';
import type { Queryable } from '../db/pool.ts';
import { generateToken, hashToken } from '../secrets/api-token.ts';
import { instanceTokenAad } from '../secrets/envelope.ts';
import type { Vault } from '../secrets/envelope.ts';
import type { Change } from './change.ts';
import { endLease } from './declaration.ts';
import type { Declaration } from './declaration.ts';
import { ApiProblem } from './problem.ts';

/** Adds an instance with its token and its first event; false when the name is taken. */
export async function declareInstance(
  tx: Queryable,
  vault: Vault,
  name: string,
  declaration: Declaration,
  now: Date,
): Promise<boolean> {
  const uid = randomUUIDv7();
  const { labels, type, apiKey, config, lease, running, restart, resources } = declaration;
  const expiresAt = endLease(lease, now, '/spec');
  const isNew = await insertInstance(tx, uid, name, {
    labels,
    type: type.name,
    apiKey,
    config,
    ttl: lease.kind === 'ttl' ? lease.text : null,
    expiresAt,
    running,
    restart,
    resources,
  });
  if (!isNew) return false;
  await mintToken(tx, vault, uid);
  await appendEvent(tx, {
    ...byApi({ uid, name }),
    reason: 'Declared',
    to: 'Pending',
    message: `Declared as ${type.name}; the lease ${untilText(expiresAt)}`,
    data: { generation: 1, type: type.name, expiresAt },
  });
  return true;
}

/** Stores a planned change with its event; a change of nothing touches nothing. */
export async function applyChange(tx: Queryable, vault: Vault, row: InstanceRow, change: Change): Promise<void> {
  const { write, fields, labels, revives } = change;
  if (fields.length === 0 && !labels) return;
  await updateInstance(tx, row.uid, write);
  if (fields.length === 0) return;
  // The token died with the lease: whoever held it then does not hold it now.
  if (revives) await mintToken(tx, vault, row.uid);
  await appendEvent(tx, {
    ...byApi(row),
    reason: revives ? 'Restored' : 'SpecChanged',
    message: `${fields.join(', ')} changed; the lease ${untilText(write.expiresAt)}`,
    data: { generation: write.generation, fields, expiresAt: write.expiresAt },
  });
}

/** Stores a change that an action asked for, with the event that says so. */
export async function applyAction(
  tx: Queryable,
  row: InstanceRow,
  write: Change['write'],
  event: { reason: 'Extended' | 'Restored' | 'SpecChanged'; message: string },
): Promise<void> {
  await updateInstance(tx, row.uid, write);
  await appendEvent(tx, {
    ...byApi(row),
    ...event,
    data: { generation: write.generation, expiresAt: write.expiresAt },
  });
}

/** Gives an instance a new token; the old one is no longer what hosts are told. The caller holds its lock. */
export async function mintToken(tx: Queryable, vault: Vault, uid: string): Promise<string> {
  const version = ((await readInstanceToken(tx, uid))?.version ?? 0) + 1;
  const token = generateToken('mmci_');
  const sealed = vault.seal(token, instanceTokenAad(uid, version));
  await writeInstanceToken(tx, uid, { version, hash: hashToken(token), ...sealed });
  return token;
}

/** The instance as this transaction sees it. Throws 404. */
export async function viewInstance(db: Queryable, name: string): Promise<Instance> {
  const row = await readInstanceByName(db, name);
  if (row === null) throw noInstance(name);
  return toInstance(row);
}

export function noInstance(name: string): ApiProblem {
  return new ApiProblem('NotFound', `there is no instance "${name}"`);
}

/** The row to write to. Throws 404, and 409 while the instance is being deleted. */
export function requireWritable(row: InstanceRow | null, name: string): InstanceRow {
  if (row === null) throw noInstance(name);
  if (row.deletion_requested_at === null) return row;
  throw new ApiProblem('BeingDeleted', `"${name}" is being deleted; wait until it is gone, then declare it anew`);
}

/** A name for an instance that came without: its type and five characters, 33 million of them. */
export function generateName(type: string): string {
  const letters = 'bcdfghjklmnpqrstvwxz23456789abcd';
  const suffix = Array.from(randomBytes(5), byte => letters[byte % 32]).join('');
  return `${type.slice(0, 57)}-${suffix}`;
}

/** For sentences: the end of a lease. */
export function untilText(expiresAt: Date | null): string {
  return expiresAt === null ? 'never ends' : `ends at ${expiresAt.toISOString()}`;
}

function byApi({ uid, name }: { uid: string; name: string }) {
  return { instanceUid: uid, instanceName: name, controller: 'api', node: null, from: null, to: null } as const;
}
