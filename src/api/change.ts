import { isDeepStrictEqual } from 'node:util';
import type { InstanceRow, InstanceWrite } from '../db/instances.ts';
import type { Declaration, Lease } from './declaration.ts';
import { endLease } from './declaration.ts';
import { parse } from './pointer.ts';

/** Fields of spec that a write can change; the first four are what a process is made of. */
const processFields = ['type', 'apiKey', 'config', 'resources'] as const;
export type SpecField = (typeof processFields)[number] | 'expiresAt' | 'running' | 'restart';

export interface Change {
  readonly write: InstanceWrite & { readonly generation: number; readonly processGeneration: number };
  /** Empty when only labels differ, or nothing. */
  readonly fields: readonly SpecField[];
  readonly labels: boolean;
  /** A lease that had ended goes on. */
  readonly revives: boolean;
}

/** The lease is over by the database's clock, whether or not a controller has noticed. */
export function hasEnded(row: Pick<InstanceRow, 'expires_at'>, now: Date): boolean {
  return row.expires_at !== null && row.expires_at <= now;
}

/**
 * What a declaration changes of an instance. The same declaration again changes nothing: a ttl that is written
 * as before is the lease that runs, not a new one. Throws the 422 when the lease is changed to end in the past.
 */
export function planChange(row: InstanceRow, declaration: Declaration, now: Date): Change {
  const { type, apiKey, config, running, restart, resources, labels, lease } = declaration;
  const sameLease = isSameLease(row, lease);
  const expiresAt = sameLease ? row.expires_at : endLease(lease, now, '/spec');
  const differs: Record<SpecField, boolean> = {
    type: row.type !== type.name,
    apiKey: row.api_key !== apiKey,
    config: row.type !== type.name || !isSameJson(withDefaults(row.config, declaration), config),
    resources: !isSameJson(row.resources, resources),
    expiresAt: !sameLease,
    running: row.running !== running,
    restart: row.restart !== restart,
  };
  const fields = (Object.keys(differs) as SpecField[]).filter(field => differs[field]);
  const generation = fields.length === 0 ? row.generation : row.generation + 1;
  const revives = hasEnded(row, now) && !sameLease;
  // Brought back is a process anew, also where the last one ended for good under its restart policy.
  const isBroughtBack = revives || (running && !row.running);
  const isOtherProcess = isBroughtBack || processFields.some(field => differs[field]);
  return {
    write: {
      labels,
      type: type.name,
      apiKey,
      config: differs.config ? config : row.config,
      ttl: sameLease ? row.ttl : lease.kind === 'ttl' ? lease.text : null,
      expiresAt,
      running,
      restart,
      resources,
      generation,
      processGeneration: isOtherProcess ? generation : row.process_generation,
    },
    fields,
    labels: !isSameJson(row.labels, labels),
    revives,
  };
}

/** The same desired state with other values and a new generation. */
export function bumpGeneration(
  row: InstanceRow,
  values: { expiresAt?: Date | null; running?: boolean; restartProcess?: boolean },
): Change['write'] {
  const generation = row.generation + 1;
  return {
    labels: row.labels,
    type: row.type,
    apiKey: row.api_key,
    config: row.config,
    // The text stays that of the declaration, so that declaring the same again does not undo an extension.
    ttl: row.ttl,
    expiresAt: values.expiresAt === undefined ? row.expires_at : values.expiresAt,
    running: values.running ?? row.running,
    restart: row.restart,
    resources: row.resources,
    generation,
    processGeneration: values.restartProcess === true ? generation : row.process_generation,
  };
}

function isSameLease(row: InstanceRow, lease: Lease): boolean {
  if (lease.kind === 'ttl') return row.ttl === lease.text;
  return row.expires_at?.getTime() === lease.expiresAt?.getTime();
}

/** What is stored may be from before the type got a field with a default. */
function withDefaults(config: Record<string, unknown>, declaration: Declaration): unknown {
  return parse(declaration.type.config, config).data ?? config;
}

/** Equal as JSON: the order of names, -0 and undefined make no difference. */
export function isSameJson(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(JSON.parse(JSON.stringify(a)), JSON.parse(JSON.stringify(b)));
}
