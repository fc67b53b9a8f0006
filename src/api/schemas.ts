import { z } from 'zod';
import { apiKey, apiKeyWrite } from '../../specs/api-key.ts';
import { event } from '../../specs/event.ts';
import { instance, instanceWrite, leaseWrite } from '../../specs/instance.ts';
import { controller, node } from '../../specs/node.ts';
import { problem } from '../../specs/problem.ts';
import { typeManifest } from '../../specs/types/manifest.ts';
import { serverJson } from '../../specs/types/server-json.ts';

/** An instance's address with the token that opens it. */
export const access = z.object({
  url: z.string().nullable().describe('The MCP endpoint; null while the instance has no place yet'),
  token: z.string(),
  headers: z.object({ Authorization: z.string() }),
  expiresAt: z.iso.datetime().nullable().describe('When the token ends with the lease'),
});

export const clientNames = [
  'claude-code',
  'claude-desktop',
  'cursor',
  'vscode',
  'windsurf',
  'codex',
  'gemini',
  'mcp-remote',
] as const;
export type ClientName = (typeof clientNames)[number];

export const clientCommand = z.object({
  argv: z.array(z.string()),
  env: z.record(z.string(), z.string()).describe('What it needs in its environment'),
  line: z.string().describe('The same for a POSIX shell'),
});

/** How one client is connected to an instance. */
export const connection = z.object({
  client: z.enum(clientNames),
  title: z.string(),
  format: z.enum(['json', 'toml']).describe('Of the snippets'),
  file: z
    .object({ linux: z.string(), macos: z.string(), windows: z.string() })
    .nullable()
    .describe('Where the snippet goes, merged into what is there; null = it depends on the client'),
  snippet: z.string().describe('A whole file, with URL and token'),
  command: clientCommand.nullable().describe('Does the same; null = the client has no such command'),
  env: z
    .object({
      variable: z.string().nullable().describe('What to set for the client; null = it asks for the value itself'),
      value: z.string(),
      snippet: z.string(),
      command: clientCommand.nullable(),
    })
    .nullable()
    .describe('The same without the token in the file; null = the client cannot'),
  notes: z.array(z.string()),
  expiresAt: z.iso.datetime().nullable().describe('When the token ends with the lease'),
});

/** A server type without what makes it long. */
export const typeSummary = z.object({
  name: z.string(),
  title: z.string(),
  description: z.string(),
  source: z.enum(['builtin', 'manifest', 'server.json']).describe('Where it comes from'),
  key: z.enum(['required', 'optional', 'none']).describe('Whether an instance needs an api key, or takes one at all'),
  version: z.int().nullable().describe('Counts changes; null = built in, as both times'),
  createdAt: z.iso.datetime().nullable(),
  updatedAt: z.iso.datetime().nullable(),
});

/** A server type with what its instances take. */
export const typeView = typeSummary.extend({
  configSchema: z.record(z.string(), z.unknown()).describe('JSON Schema of spec.config'),
  keyValuesSchema: z.record(z.string(), z.unknown()).describe("JSON Schema of the api key's values"),
  manifest: typeManifest
    .nullable()
    .describe('What is run and what is asked for; of a server.json what was made of it; null = built in'),
  document: z.record(z.string(), z.unknown()).nullable().describe('As it was registered; null = built in'),
});

/** What makes a type. It is checked later as the one that it is: of a union it would say what neither takes. */
export const typeDocument = z.record(z.string(), z.unknown()).meta({
  description: 'A manifest, or a server.json of the MCP registry',
  anyOf: ['TypeManifestInput', 'ServerJsonInput'].map(name => ({ $ref: `#/components/schemas/${name}` })),
});

const components = {
  Instance: instance,
  InstanceWrite: instanceWrite,
  LeaseWrite: leaseWrite,
  Access: access,
  Connection: connection,
  Type: typeView,
  TypeSummary: typeSummary,
  TypeManifest: typeManifest,
  ServerJson: serverJson,
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
