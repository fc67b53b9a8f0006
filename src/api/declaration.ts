import { durationMs } from '../../specs/duration.ts';
import type { InstanceWrite, LeaseWrite, Resources, RestartPolicy } from '../../specs/instance.ts';
import type { Labels } from '../../specs/name.ts';
import type { ServerType } from '../../specs/type.ts';
import { readApiKeyType } from '../db/api-keys.ts';
import type { Queryable } from '../db/pool.ts';
import { parse } from './pointer.ts';
import { invalidBody } from './problem.ts';
import type { FieldError } from './problem.ts';
import { requireType } from './type-lookup.ts';

/** What a client asks for, checked against everything but the clock and the instance's present state. */
export interface Declaration {
  readonly labels: Labels;
  readonly type: ServerType;
  readonly apiKey: string | null;
  /** With the type's defaults filled in. */
  readonly config: Record<string, unknown>;
  readonly lease: Lease;
  readonly running: boolean;
  readonly restart: RestartPolicy;
  readonly resources: Resources;
}

/** A length from now on, as it was written, or a time; null = never ends. */
export type Lease =
  | { readonly kind: 'ttl'; readonly text: string; readonly ms: number }
  | { readonly kind: 'time'; readonly expiresAt: Date | null };

// Four digits of year: what every reader of ISO times takes.
const latest = Date.parse('9999-12-31T23:59:59.999Z');

/** Checks a body that has the right shape against its type and api key. Throws the 422 with every fault found. */
export async function checkDeclaration(db: Queryable, body: InstanceWrite): Promise<Declaration> {
  const { spec } = body;
  const type = await requireType(db, spec.type, '/spec/type');
  const errors: FieldError[] = [];
  const config = parse(type.config, spec.config, ['spec', 'config']);
  errors.push(...(config.errors ?? []));
  errors.push(...(await checkApiKey(db, type, spec.apiKey)));
  const lease = readLease(spec, '/spec');
  if ('message' in lease) errors.push(lease);
  if (config.data === null || 'message' in lease || errors.length > 0) throw invalidBody(errors);
  const { labels } = body.metadata;
  const { apiKey, running, restart, resources } = spec;
  return { labels, type, apiKey, config: config.data, lease, running, restart, resources };
}

/** A key that does not exist yet is no fault: the instance waits for it and says so. */
async function checkApiKey(db: Queryable, type: ServerType, name: string | null): Promise<FieldError[]> {
  const pointer = '/spec/apiKey';
  if (name === null) {
    if (type.key !== 'required') return [];
    return [{ pointer, message: `is required: the name of an api key of type ${type.name}` }];
  }
  if (type.key === 'none') return [{ pointer, message: `must be null: the type ${type.name} takes no api key` }];
  const keyType = await readApiKeyType(db, name);
  if (keyType === null || keyType === type.name) return [];
  return [{ pointer, message: `must be an api key of type ${type.name}; "${name}" is of type ${keyType}` }];
}

/** The lease of a body that has `ttl` or `expiresAt`; neither = never ends. */
export function readLease(body: LeaseWrite, prefix: string): Lease | FieldError {
  if (body.ttl !== undefined) return { kind: 'ttl', text: body.ttl, ms: Math.round(durationMs(body.ttl)!) };
  if (body.expiresAt === undefined || body.expiresAt === null) return { kind: 'time', expiresAt: null };
  const expiresAt = new Date(body.expiresAt);
  // Also false for a time that is none.
  if (expiresAt.getTime() <= latest) return { kind: 'time', expiresAt };
  return { pointer: `${prefix}/expiresAt`, message: 'must be a time before the year 10000' };
}

/** When a lease that begins now ends. Throws the 422 for an end in the past. */
export function endLease(lease: Lease, now: Date, prefix: string): Date | null {
  if (lease.kind === 'ttl') return new Date(now.getTime() + lease.ms);
  if (lease.expiresAt === null || lease.expiresAt > now) return lease.expiresAt;
  throw invalidBody([
    { pointer: `${prefix}/expiresAt`, message: `must be in the future; it is ${now.toISOString()} now` },
  ]);
}
