import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { ServerType } from '../../specs/type.ts';
import { registeredType } from '../../specs/types/registered.ts';
import type { TypeRow } from '../db/types.ts';
import type { typeView } from './schemas.ts';

export type TypeView = z.infer<typeof typeView>;

export function viewBuiltin(type: ServerType): TypeView {
  return {
    ...viewSchemas(type),
    source: 'builtin',
    version: null,
    manifest: null,
    document: null,
    createdAt: null,
    updatedAt: null,
  };
}

export function viewRegistered(row: TypeRow): TypeView {
  return {
    ...viewSchemas(registeredType(row.name, row.manifest)),
    source: row.source,
    version: row.version,
    manifest: row.manifest,
    document: row.document,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  };
}

function viewSchemas({ name, title, description, key, config, keyValues }: ServerType) {
  return {
    name,
    title,
    description,
    key,
    configSchema: toJsonSchema(config),
    keyValuesSchema: toJsonSchema(keyValues),
  };
}

/** As clients write it: fields with a default are not required. */
function toJsonSchema(schema: z.ZodType): Record<string, unknown> {
  return { ...z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) };
}

/** Says which content this is, also of a type that was deleted and registered anew. */
export function typeTag(view: TypeView): string {
  return createHash('sha256').update(JSON.stringify(view)).digest('base64url').slice(0, 22);
}

export function replyType(reply: FastifyReply, status: number, view: TypeView): FastifyReply {
  return reply
    .code(status)
    .header('etag', `"${typeTag(view)}"`)
    .send(view);
}
