import { createHash } from 'node:crypto';
import { transaction } from '../src/db/pool.ts';
import { lockGeneration } from '../src/db/statuses.ts';
import { readKnownTools, readSeenTools, writeKnownTools } from '../src/db/tool-lists.ts';
import type { AttemptRow, InstanceRow } from '../src/db/world.ts';
import { again } from './process-effects.ts';
import { append } from './process-record.ts';
import type { Recording } from './process-record.ts';
import type { EventDraft } from './process-world.ts';
import { planToolsEvent } from './tools.plan.ts';

/** Makes the tools that the process was seen with those that the instance is known for, and tells a change. */
export async function noteTools(row: InstanceRow, recording: Recording): Promise<number> {
  const told = await transaction(recording.pool, async (db): Promise<EventDraft | null> => {
    // Desired state that moved on, or a node that is another's: the next look decides anew.
    if (!(await lockGeneration(db, row.uid, row.generation, recording))) return null;
    const seen = await readSeenTools(db, row.attempt!.id);
    const known = await readKnownTools(db, row.uid);
    if (seen === null || seen.hash === known?.hash) return null;
    const now = { ...seen, spec_hash: specHash(row, row.attempt!) };
    const event = planToolsEvent(known, now);
    await writeKnownTools(db, row.uid, now);
    if (event !== null) await append(db, row, recording, event, null, null);
    return event;
  });
  if (told !== null) recording.log.info({ instance: row.name, event: told.reason }, told.message);
  return again;
}

/**
 * Over all that people decide of a process: who may see which tools is also a matter of the key. A process that is
 * older than its type's program counts as what it is. The database gives the keys of the configuration in one order.
 */
function specHash({ type, config, api_key: key }: InstanceRow, attempt: AttemptRow): string {
  return createHash('sha256')
    .update(JSON.stringify([type, attempt.type_program, config, key, attempt.key_version]))
    .digest('hex');
}
