import { recordIdentity, recordKilled, recordLease, recordStopping } from '../src/db/attempts.ts';
import { transaction } from '../src/db/pool.ts';
import type { Queryable } from '../src/db/pool.ts';
import { deleteInstance } from '../src/db/statuses.ts';
import type { InstanceRow } from '../src/db/world.ts';
import { crashpoint } from './crashpoint.ts';
import { endProcess } from './process-end.ts';
import { append, recordChange } from './process-record.ts';
import { attemptRef } from './process-read.ts';
import { again } from './process-effects.ts';
import type { Effects } from './process-effects.ts';
import { beginProcess, startProcess } from './process-start.ts';
import { noteTools } from './process-tools.ts';
import type { Action, World } from './process-world.ts';

/** Carries out one action; returns in how many milliseconds to look again, or null. */
export async function applyAction(
  action: Action,
  row: InstanceRow,
  world: World,
  effects: Effects,
): Promise<number | null> {
  const { pool, runtime } = effects;
  switch (action.kind) {
    case 'wait':
      return action.againMs;
    case 'mark':
      crashpoint('phase:before-record');
      await recordChange(row, action.change, effects);
      crashpoint('phase:recorded');
      return again;
    case 'begin':
      return beginProcess(row, world, action.change, effects);
    case 'start':
      return startProcess(row, world, effects);
    case 'adopt':
      return adopt(action.reason, row, effects);
    case 'renew':
      crashpoint('renew:before-send');
      await effects.handover.renew(row, async (expiresAt, tokenVersion) => {
        crashpoint('renew:sent');
        await recordLease(pool, row.attempt!.id, expiresAt, tokenVersion);
      });
      crashpoint('renew:recorded');
      return again;
    case 'note-tools':
      return noteTools(row, effects);
    case 'stop': {
      crashpoint('stop:before-intent');
      const intend = (db: Queryable): Promise<boolean> => recordStopping(db, row.attempt!.id, action.stopReason);
      if (await recordChange(row, action.change, effects, { also: intend })) {
        crashpoint('stop:after-intent');
        if (world.process?.kind === 'alive') runtime.terminate(attemptRef(row)!, world.process.identity);
        crashpoint('stop:signalled');
      }
      return again;
    }
    case 'terminate':
      if (world.process?.kind === 'alive') runtime.terminate(attemptRef(row)!, world.process.identity);
      return action.againMs;
    case 'kill':
      if (row.attempt!.killed_at === null) {
        effects.log.info({ instance: row.name, attempt: row.attempt!.id, reason: action.reason }, 'killing');
        await recordKilled(pool, row.attempt!.id);
      }
      await runtime.kill(attemptRef(row)!);
      return action.againMs;
    case 'end':
      return endProcess(action.end, action.change, row, effects);
    case 'delete':
      crashpoint('delete:before-record');
      await transaction(pool, async db => {
        if (!(await deleteInstance(db, row.uid))) throw new Error('the instance changed meanwhile');
        await append(db, row, effects, { reason: 'Deleted', message: action.reason }, 'Deleting', null);
      });
      crashpoint('delete:recorded');
      effects.log.info({ instance: row.name, event: 'Deleted' }, action.reason);
      return null;
    default:
      return action satisfies never;
  }
}

async function adopt(reason: string, row: InstanceRow, effects: Effects): Promise<number> {
  const ref = attemptRef(row)!;
  const process = effects.runtime.observe(ref);
  if (process.kind !== 'alive') return again;
  crashpoint('adopt:before-record');
  await transaction(effects.pool, async db => {
    if (ref.identity === null) await recordIdentity(db, ref.id, process.identity);
    await append(
      db,
      row,
      effects,
      { reason: 'Adopted', message: reason, data: { pid: process.identity.pid } },
      null,
      null,
    );
  });
  crashpoint('adopt:recorded');
  effects.log.info({ instance: row.name, event: 'Adopted', pid: process.identity.pid }, reason);
  effects.runtime.watch(ref, process.identity);
  // The signal may be what the earlier controller did not come to.
  if (row.attempt!.stopping_at !== null) effects.runtime.terminate(ref, process.identity);
  return again;
}
