import { insertAttempt, recordIdentity } from '../src/db/attempts.ts';
import type { Queryable } from '../src/db/pool.ts';
import type { InstanceRow } from '../src/db/world.ts';
import { MiniMcpError } from '../src/errors.ts';
import { crashpoint } from './crashpoint.ts';
import { again } from './process-effects.ts';
import type { Effects } from './process-effects.ts';
import { endProcess } from './process-end.ts';
import { worldAttempt } from './process-read.ts';
import { recordChange } from './process-record.ts';
import type { StatusChange, World } from './process-world.ts';
import type { StartOutcome } from './runtime/runtime.ts';

/** Records the intent, and starts. */
export async function beginProcess(
  row: InstanceRow,
  world: World,
  change: StatusChange,
  effects: Effects,
): Promise<number> {
  const id = effects.newId();
  crashpoint('begin:before-intent');
  // By it people find the directory with the process's logs.
  const event = change.event === null ? null : { ...change.event, data: { ...change.event.data, attempt: id } };
  const done = await recordChange(row, { ...change, event }, effects, {
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
    type_program: row.type_program,
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
  return startProcess(begun, { ...world, status, attempt: worldAttempt(attempt) }, effects);
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
    typeProgram: row.type_program,
    leaseExpiresAt: row.expires_at,
    tokenVersion: row.token_version,
  }).then(() => true);
}

/** The intent is recorded: makes it true. */
export async function startProcess(row: InstanceRow, world: World, effects: Effects): Promise<number> {
  const attempt = row.attempt!;
  const outcome = await startHost(row, attempt.id, effects);
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
      return endProcess(
        { reason: 'PortConflict', message: outcome.message, code: null, signal: null },
        change,
        row,
        effects,
      );
    }
    case 'failed':
      // The runtime remembers why; the next look proves what is left of it.
      effects.log.debug({ instance: row.name, reason: outcome.message }, 'the start failed');
      return again;
    default:
      return outcome satisfies never;
  }
}

/** What cannot be handed over (a secret that cannot be opened, a program gone meanwhile) is a failed start with its reason. */
async function startHost(row: InstanceRow, attemptId: string, effects: Effects): Promise<StartOutcome> {
  let assignment;
  try {
    assignment = await effects.handover.assignment(row, attemptId);
  } catch (error) {
    if (!(error instanceof MiniMcpError)) throw error;
    return effects.runtime.refuse(attemptId, error.message);
  }
  return effects.runtime.start(assignment);
}
