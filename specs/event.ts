import { z } from 'zod';
import { phase } from './phase.ts';

export const eventReasons = [
  'Declared',
  'SpecChanged',
  'Scheduled',
  'Spawning',
  'Adopted',
  'Ready',
  'Unhealthy',
  'Recovered',
  'Exited',
  'BackingOff',
  'Killing',
  'Killed',
  'Stopped',
  'Expired',
  'Restored',
  'Extended',
  'Deleting',
  'Deleted',
  'PortConflict',
  'SecretMissing',
  'OverMemory',
  'NodeLost',
  'Rescheduled',
  'ToolsChanged',
  'Misconfigured',
  'SandboxDegraded',
  'Installing',
  'Installed',
] as const;

export const eventReason = z.enum(eventReasons);
export type EventReason = z.infer<typeof eventReason>;

/** One transition. `from` and `to` are set exactly when the event is a change of phase. */
export const event = z.object({
  id: z.string(),
  at: z.iso.datetime(),
  instance: z.object({ uid: z.uuid(), name: z.string() }),
  controller: z.string().describe('Who wrote it: api, expiry, scheduler, process, health, cleanup'),
  node: z.string().nullable(),
  reason: eventReason,
  from: phase.nullable(),
  to: phase.nullable(),
  message: z.string(),
  data: z.record(z.string(), z.unknown()),
});
export type Event = z.infer<typeof event>;
