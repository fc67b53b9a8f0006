import { z } from 'zod';
import { ttl } from './duration.ts';
import { dnsLabel, labels } from './name.ts';
import { condition, phase } from './phase.ts';

export const restartPolicy = z.enum(['always', 'on-failure', 'never']);
export type RestartPolicy = z.infer<typeof restartPolicy>;

export const resources = z.strictObject({
  memoryMiB: z.int().min(32).max(1_048_576).optional(),
  cpus: z.number().min(0.01).max(1024).optional(),
});
export type Resources = z.infer<typeof resources>;

const expiresAt = z.iso
  .datetime({ offset: true, message: 'must be an ISO 8601 time with a zone, such as "2026-12-01T00:00:00Z"' })
  .nullable();

const specFields = {
  type: dnsLabel.describe('A server type of GET /types'),
  apiKey: dnsLabel.nullable().default(null).describe('Name of the api key whose values the server gets'),
  config: z.record(z.string(), z.unknown()).default({}).describe("What the type's own schema describes"),
  running: z.boolean().default(true).describe('false = stopped by hand'),
  restart: restartPolicy.default('always'),
  resources: resources.default({}),
};

/** What a client writes. Neither `ttl` nor `expiresAt` = the lease never ends. */
export const specWrite = z
  .strictObject({
    ...specFields,
    expiresAt: expiresAt.optional().describe('When the lease ends; null = never'),
    ttl: ttl.optional().describe('How long the lease lasts from now; instead of expiresAt'),
  })
  .refine(spec => spec.ttl === undefined || spec.expiresAt === undefined || spec.expiresAt === null, {
    path: ['ttl'],
    message: 'give either ttl or expiresAt, not both',
  });

// A client that reads, edits and writes back sends these too; they are taken and ignored.
const readOnlyMetadata = {
  uid: z.uuid().optional(),
  generation: z.int().optional(),
  resourceVersion: z.string().optional(),
  createdAt: z.string().optional(),
  deletionRequestedAt: z.string().nullable().optional(),
};

export const instanceWrite = z.strictObject({
  metadata: z
    .strictObject({ name: dnsLabel.optional(), labels: labels.default({}), ...readOnlyMetadata })
    .default({ labels: {} }),
  spec: specWrite,
  status: z.unknown().optional().describe('Ignored: status is written by the controllers alone'),
});
export type InstanceWrite = z.infer<typeof instanceWrite>;

/** Body of extend and restore: exactly one of both. */
export const leaseWrite = z
  .strictObject({ ttl: ttl.optional(), expiresAt: expiresAt.optional() })
  .refine(lease => (lease.ttl === undefined) !== (lease.expiresAt === undefined), {
    message: 'give exactly one of ttl and expiresAt',
  });
export type LeaseWrite = z.infer<typeof leaseWrite>;

export const lastExit = z.object({
  code: z.int().nullable(),
  signal: z.string().nullable(),
  reason: z.string(),
  at: z.iso.datetime(),
});
export type LastExit = z.infer<typeof lastExit>;

export const status = z.object({
  observedGeneration: z.int().describe('0 = no controller has looked yet'),
  phase,
  conditions: z.array(condition),
  node: z.string().nullable(),
  port: z.int().nullable(),
  pid: z.int().nullable(),
  url: z.string().nullable(),
  startedAt: z.iso.datetime().nullable(),
  readyAt: z.iso.datetime().nullable(),
  expiredAt: z.iso.datetime().nullable(),
  lastAccessedAt: z.iso.datetime().nullable(),
  requestCount: z.int().describe('MCP requests that the present process has answered'),
  restartCount: z.int(),
  nextStartAt: z.iso.datetime().nullable(),
  lastExit: lastExit.nullable(),
  usage: z.object({ cpu: z.number().describe('Cores'), memoryBytes: z.int() }).nullable(),
});

export const instance = z.object({
  metadata: z.object({
    name: z.string(),
    uid: z.uuid(),
    labels: z.record(z.string(), z.string()),
    generation: z.int(),
    resourceVersion: z.string(),
    createdAt: z.iso.datetime(),
    deletionRequestedAt: z.iso.datetime().nullable(),
  }),
  spec: z.object({
    type: z.string(),
    apiKey: z.string().nullable(),
    config: z.record(z.string(), z.unknown()),
    expiresAt: z.iso.datetime().nullable(),
    running: z.boolean(),
    restart: restartPolicy,
    resources,
  }),
  status,
});
export type Instance = z.infer<typeof instance>;
