import { z } from 'zod';
import { dnsLabel } from './name.ts';

export const apiKeyWrite = z.strictObject({
  type: dnsLabel,
  values: z.record(z.string(), z.string()).describe("What the type's keyValues schema describes; never read back"),
});
export type ApiKeyWrite = z.infer<typeof apiKeyWrite>;

export const apiKey = z.object({
  name: z.string(),
  type: z.string(),
  version: z.int(),
  lastFour: z.record(z.string(), z.string()).describe('Last four characters of each value long enough to show them'),
  usedBy: z.array(z.string()).describe('Names of the instances that refer to it'),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});
export type ApiKey = z.infer<typeof apiKey>;
