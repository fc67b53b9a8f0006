import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { ServerType } from '../../specs/type.ts';
import { registeredType } from '../../specs/types/registered.ts';
import type { TypeRow, TypeSummaryRow } from '../db/types.ts';
import type { typeSummary, typeView } from './schemas.ts';

type TypeView = z.infer<typeof typeView>;
type TypeSummary = z.infer<typeof typeSummary>;

export function summarizeBuiltin({ name, title, description, key }: ServerType): TypeSummary {
  return { name, title, description, source: 'builtin', key, version: null, createdAt: null, updatedAt: null };
}

export function summarizeRegistered(row: TypeSummaryRow): TypeSummary {
  const { name, title, description, source, key, version } = row;
  const times = { createdAt: row.created_at.toISOString(), updatedAt: row.updated_at.toISOString() };
  return { name, title, description, source, key, version, ...times };
}

export function viewBuiltin(type: ServerType): TypeView {
  return { ...summarizeBuiltin(type), ...viewSchemas(type), manifest: null, document: null };
}

export function viewRegistered(row: TypeRow): TypeView {
  const type = registeredType(row.name, row.manifest);
  const { title, description, key } = type;
  const { manifest, document } = row;
  return { ...summarizeRegistered({ ...row, title, description, key }), ...viewSchemas(type), manifest, document };
}

function viewSchemas({ config, keyValues }: ServerType) {
  return { configSchema: toJsonSchema(config), keyValuesSchema: toJsonSchema(keyValues) };
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
