import {
  insertAttempt,
  endAttempt,
  recordIdentity,
  recordKilled,
  recordLease,
  recordStopping,
} from '../src/db/attempts.ts';
import { transaction } from '../src/db/pool.ts';
import type { Queryable } from '../src/db/pool.ts';
import { deleteInstance } from '../src/db/statuses.ts';
import type { InstanceRow } from '../src/db/world.ts';
import { crashpoint } from './crashpoint.ts';
import type { Handover } from './handover.ts';
import { planExit } from './process-exit.plan.ts';
import { append, recordChange } from './process-record.ts';
import type { Recording } from './process-record.ts';
import type { Action, EndDraft, Limits, StatusChange, World } from './process-world.ts';
import { attemptRef, worldAttempt } from './process-read.ts';
import type { Runtime } from './runtime/runtime.ts';

export interface Effects extends Recording {
  readonly runtime: Runtime;
  readonly handover: Handover;
  readonly limits: Limits;
  readonly newId: () => string;
}

/** Again at once: the world is another one now. */
const again = 0;

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
      return begin(row, world, action.change, effects);
    case 'start':
      return start(row, world, effects);
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
    case 'kill':
      effects.log.info({ instance: row.name, attempt: row.attempt!.id, reason: action.reason }, 'killing');
      await recordKilled(pool, row.attempt!.id);
      await runtime.kill(attemptRef(row)!);
      return action.againMs;
    case 'end':
      return end(action.end, action.change, row, effects);
    case 'delete':
      crashpoint('delete:before-record');
      await transaction(pool, async db => {
        await append(db, row, effects, { reason: 'Deleted', message: action.reason }, 'Deleting', null);
        if (!(await deleteInstance(db, row.uid))) throw new Error('the instance changed meanwhile');
      });
      crashpoint('delete:recorded');
      effects.log.info({ instance: row.name, event: 'Deleted' }, action.reason);
      return null;
    default:
      return action satisfies never;
  }
}

async function begin(row: InstanceRow, world: World, change: StatusChange, effects: Effects): Promise<number> {
  const id = effects.newId();
  crashpoint('begin:before-intent');
  const done = await recordChange(row, change, effects, {
    also: db => insertIntent(db, id, row, effects),
    attemptId: id,
  });
  crashpoint('begin:after-intent');
  if (!done) return again;
  const attempt = {
    ...emptyAttempt,
    id,
    node: effects.node,
    port: row.placement_port!,
    process_generation: row.process_generation,
    key_version: row.key_version,
    lease_expires_at: row.expires_at?.toISOString() ?? null,
    token_version: row.token_version,
    began_at: row.now.toISOString(),
  };
  const begun: InstanceRow = {
    ...row,
    phase: change.to,
    attempt,
    observed_generation: row.generation,
    backoff_step: change.backoffStep ?? row.backoff_step,
    restart_count: change.restartCount ?? row.restart_count,
    ready_at: null,
  };
  const status = { ...world.status, phase: change.to, backoffStep: begun.backoff_step, readyAt: null };
  return start(begun, { ...world, status, attempt: worldAttempt(attempt) }, effects);
}

const emptyAttempt = {
  pid: null,
  start_time: null,
  boot_id: null,
  spawned_at: null,
  stopping_at: null,
  stop_reason: null,
  killed_at: null,
};

function insertIntent(db: Queryable, id: string, row: InstanceRow, effects: Effects): Promise<boolean> {
  return insertAttempt(db, {
    id,
    instanceUid: row.uid,
    instanceName: row.name,
    node: effects.node,
    port: row.placement_port!,
    runtime: effects.runtime.name,
    processGeneration: row.process_generation,
    keyVersion: row.key_version,
    leaseExpiresAt: row.expires_at,
    tokenVersion: row.token_version,
  }).then(() => true);
}

/** The intent is recorded: make it true. */
async function start(row: InstanceRow, world: World, effects: Effects): Promise<number> {
  const attempt = row.attempt!;
  const outcome = await effects.runtime.start(await effects.handover.assignment(row, attempt.id));
  switch (outcome.kind) {
    case 'started':
      crashpoint('start:before-record');
      if (!(await recordIdentity(effects.pool, attempt.id, outcome.identity))) {
        throw new Error('the attempt was closed while its host started; the host is looked at again');
      }
      crashpoint('start:recorded');
      return again;
    case 'port-conflict': {
      const message = `${outcome.message}; another port is chosen`;
      const change: StatusChange = {
        to: 'Pending',
        event: { reason: 'PortConflict', message, data: { port: attempt.port } },
        conditions: [
          { type: 'PortConflict', status: 'True', reason: 'PortConflict', message },
          { type: 'Ready', status: 'False', reason: 'PortConflict', message },
        ],
      };
      return end({ reason: 'PortConflict', message: outcome.message, code: null, signal: null }, change, row, effects);
    }
    case 'failed': {
      const exit = { code: null, signal: null, reason: null, message: outcome.message };
      const gone = { kind: 'gone', leftovers: 0, exit, rebooted: false } as const;
      const action = planExit(world, world.attempt!, gone, effects.limits);
      return action.kind === 'end' ? end(action.end, action.change, row, effects) : again;
    }
    default:
      return outcome satisfies never;
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

async function end(draft: EndDraft, change: StatusChange, row: InstanceRow, effects: Effects): Promise<number> {
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
