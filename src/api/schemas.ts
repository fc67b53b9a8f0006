import { z } from 'zod';
import { apiKey, apiKeyWrite } from '../../specs/api-key.ts';
import { event } from '../../specs/event.ts';
import { instance, instanceWrite, leaseWrite } from '../../specs/instance.ts';
import { controller, node } from '../../specs/node.ts';
import { problem } from '../../specs/problem.ts';

/** An instance's address with the token that opens it. */
export const access = z.object({
  url: z.string().nullable().describe('The MCP endpoint; null while the instance has no place yet'),
  token: z.string(),
  headers: z.object({ Authorization: z.string() }),
  expiresAt: z.iso.datetime().nullable().describe('When the token ends with the lease'),
});

/** A server type with what its instances take. */
export const typeView = z.object({
  name: z.string(),
  title: z.string(),
  description: z.string(),
  key: z.enum(['required', 'optional']).describe('Whether an instance needs an api key'),
  configSchema: z.record(z.string(), z.unknown()).describe('JSON Schema of spec.config'),
  keyValuesSchema: z.record(z.string(), z.unknown()).describe("JSON Schema of the api key's values"),
});

const components = {
  Instance: instance,
  InstanceWrite: instanceWrite,
  LeaseWrite: leaseWrite,
  Access: access,
  Type: typeView,
  ApiKey: apiKey,
  ApiKeyWrite: apiKeyWrite,
  Event: event,
  Node: node,
  Controller: controller,
  Problem: problem,
};

/** A response in JSON with a sentence for the OpenAPI document. */
export function json<T extends z.ZodType>(schema: T, description: string) {
  return { description, content: { 'application/json': { schema } } };
}

/** Names for the components of the OpenAPI document. */
export function nameComponents(): void {
  for (const [id, schema] of Object.entries(components)) {
    z.globalRegistry.add(schema, { ...z.globalRegistry.get(schema), id });
  }
}

export const nameParameters = z.object({ name: z.string().describe('A DNS label') });

const switches = { '1': true, true: true, '0': false, false: false } as const;

/** A query parameter that is on or off. */
export function flag(description: string) {
  return z
    .enum(['1', 'true', '0', 'false'])
    .default('0')
    .transform(text => switches[text])
    .describe(description);
}

export const writeQuery = z.strictObject({
  dryRun: flag('Validate and answer what would be, and write nothing'),
});

export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(500).default(100).describe('Items on a page'),
  cursor: z.string().max(2048).optional().describe('nextCursor of the page before'),
};

/** `{items, nextCursor}`. */
export function listOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable().describe('null = this is the last page') });
}

/** Headers of writes that can be conditional. Other headers pass. */
export const ifMatchHeader = z.looseObject({
  'if-match': z.string().optional().describe('A resourceVersion: refuse when the desired state changed since'),
});
