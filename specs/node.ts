import { z } from 'zod';

export const node = z.object({
  name: z.string(),
  runtime: z.string(),
  instanceHost: z.string(),
  portRange: z.string(),
  version: z.string(),
  epoch: z.int(),
  heartbeatAt: z.iso.datetime(),
  alive: z.boolean(),
  instances: z.int().describe('How many are placed here'),
});
export type Node = z.infer<typeof node>;

export const controllerStats = z.object({
  reconciles: z.int(),
  errors: z.int(),
  queued: z.int(),
  lastReconcileAt: z.iso.datetime().nullable(),
  lastActionAt: z.iso.datetime().nullable(),
  lastAction: z.string().nullable(),
  lastError: z.string().nullable(),
});
export type ControllerStats = z.infer<typeof controllerStats>;

export const controller = z.object({
  name: z.string(),
  node: z.string(),
  pid: z.int(),
  startedAt: z.iso.datetime(),
  heartbeatAt: z.iso.datetime(),
  alive: z.boolean(),
  stats: controllerStats,
});
export type Controller = z.infer<typeof controller>;
