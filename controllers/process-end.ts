import { endAttempt } from '../src/db/attempts.ts';
import type { InstanceRow } from '../src/db/world.ts';
import { crashpoint } from './crashpoint.ts';
import { recordChange } from './process-record.ts';
import { again } from './process-effects.ts';
import type { Effects } from './process-effects.ts';
import type { EndDraft, StatusChange } from './process-world.ts';

/** Closes an attempt whose processes are proven gone. */
export async function endProcess(
  draft: EndDraft,
  change: StatusChange,
  row: InstanceRow,
  effects: Effects,
): Promise<number> {
  crashpoint('end:before-record');
  const done = await recordChange(row, change, effects, {
    also: db => endAttempt(db, row.attempt!.id, draft),
    attemptId: null,
    ended: draft,
  });
  crashpoint('end:recorded');
  if (done) effects.runtime.unwatch(row.attempt!.id);
  return again;
}
