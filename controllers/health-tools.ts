import type { HostHealth } from '../specs/assignment.ts';
import { recordTools } from '../src/db/observations.ts';
import type { Pool } from '../src/db/pool.ts';
import { errorMessage } from '../src/errors.ts';
import type { Logger } from '../src/logger.ts';
import type { HostAddress, HostClient } from './host-client.ts';

/** The hash of an attempt's tool list, as recorded and as the last probe had it; null = none. */
export interface ToolsWatched {
  recorded: string | null;
  seen: string | null;
  /** Probes that found it well and without a list. */
  waited: number;
}

/** A server that is well tells its tools soon after; one that cannot is not hurried for ever. */
const patientProbes = 5;

/** Whether the list is about to come, so that the next probe should be soon. */
export function expectsTools(tools: ToolsWatched): boolean {
  if (tools.seen !== null) return false;
  tools.waited += 1;
  return tools.waited <= patientProbes;
}

export interface ToolsRecording {
  readonly pool: Pool;
  readonly hosts: HostClient;
  readonly timing: { readonly probeTimeoutMs: number };
  readonly log: Logger;
}

/** Another list than the recorded one is asked for in full, and recorded; at rest this does nothing. */
export async function recordToolList(
  attemptId: string,
  address: HostAddress,
  tools: ToolsWatched,
  { pool, hosts, timing, log }: ToolsRecording,
): Promise<void> {
  if (tools.seen === null || tools.seen === tools.recorded) return;
  let health: HostHealth;
  try {
    health = await hosts.tools(address, timing.probeTimeoutMs);
  } catch (error) {
    // The next probe finds the difference again.
    log.debug({ attempt: attemptId, reason: errorMessage(error) }, 'the tools could not be read');
    return;
  }
  if (health.attempt !== attemptId || health.toolsHash === null || health.tools === undefined) return;
  await recordTools(pool, attemptId, health.toolsHash, health.tools);
  tools.recorded = health.toolsHash;
}
