import { z } from 'zod';
import { instanceWrite, specWrite } from '../../specs/instance.ts';
import type { InstanceRow } from '../db/instances.ts';
import { jsonPointer, parse } from './pointer.ts';
import { invalidBody } from './problem.ts';
import type { FieldError } from './problem.ts';

type Json = Record<string, unknown>;

/** What a PATCH body may look like before it is merged; what is in it is checked after. */
const patchShape = z.looseObject({
  metadata: z.looseObject({ labels: z.looseObject({}).nullable().optional() }).optional(),
  spec: z.looseObject({}).optional(),
});

/**
 * The document that a JSON merge patch (RFC 7396) makes of an instance's desired state. `ttl` and `expiresAt`
 * are one thing said in two ways: either replaces the other. Throws the 422 for a patch that is no object, or
 * that removes what does not exist.
 */
export function patchDocument(row: InstanceRow, patch: unknown): unknown {
  const shaped = parse(patchShape, patch);
  if (shaped.data === null) throw invalidBody(shaped.errors);
  const { metadata, spec } = shaped.data;
  const unknown = [
    ...unknownNulls(patch as Json, instanceWrite.shape, ''),
    ...unknownNulls(metadata, instanceWrite.shape.metadata.unwrap().shape, '/metadata'),
    ...unknownNulls(spec, specWrite.shape, '/spec'),
  ];
  if (unknown.length > 0) throw invalidBody(unknown);
  const isNewTtl = spec !== undefined && (spec['ttl'] ?? null) !== null;
  return mergePatch(
    {
      metadata: { labels: row.labels },
      spec: {
        type: row.type,
        apiKey: row.api_key,
        config: row.config,
        ...(isNewTtl ? {} : { expiresAt: row.expires_at?.toISOString() ?? null }),
        running: row.running,
        restart: row.restart,
        resources: row.resources,
      },
    },
    patch,
  );
}

/** A null under a name that does not exist would vanish in the merge, and the slip of the pen with it. */
function unknownNulls(patch: Json | undefined, shape: Json, prefix: string): FieldError[] {
  return Object.entries(patch ?? {})
    .filter(([name, value]) => value === null && !Object.hasOwn(shape, name))
    .map(([name]) => ({
      pointer: `${prefix}${jsonPointer([name])}`,
      message: `is not known here; known are ${Object.keys(shape).join(', ')}`,
    }));
}

/** RFC 7396. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged: Json = isObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = mergePatch(merged[name], value);
  }
  return merged;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
