import type { Handover } from './handover.ts';
import type { Recording } from './process-record.ts';
import type { Limits } from './process-world.ts';
import type { Runtime } from './runtime/runtime.ts';

/** What the process controller acts with. */
export interface Effects extends Recording {
  readonly runtime: Runtime;
  readonly handover: Handover;
  readonly limits: Limits;
  readonly newId: () => string;
}

/** Again at once: the world is another one now. */
export const again = 0;
