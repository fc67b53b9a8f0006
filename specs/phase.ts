import { z } from 'zod';

/**
 * Where an instance is in its life. `Unknown` is never stored: it is what a reader is told while
 * the node that should know has stopped its heartbeat.
 */
export const phases = [
  'Pending',
  'Starting',
  'Ready',
  'Unhealthy',
  'Backoff',
  'Stopping',
  'Stopped',
  'Expired',
  'Deleting',
  'Unknown',
] as const;

export const phase = z.enum(phases);
export type Phase = z.infer<typeof phase>;

/** Phases in which a process exists or may exist. */
export const livePhases = ['Starting', 'Ready', 'Unhealthy', 'Stopping'] as const satisfies readonly Phase[];

export const conditionTypes = [
  'Ready',
  'SecretMissing',
  'Misconfigured',
  'PortConflict',
  'Installing',
  'SandboxDegraded',
] as const;

export const condition = z.object({
  type: z.enum(conditionTypes),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string().describe('One CamelCase word for machines'),
  message: z.string().describe('A sentence for people; for a problem it says how to mend it'),
  lastTransitionAt: z.iso.datetime(),
});
export type Condition = z.infer<typeof condition>;
