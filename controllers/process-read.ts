import { missingSecrets } from '../specs/types/registered.ts';
import type { AttemptRow, InstanceRow } from '../src/db/world.ts';
import type { Attempt, StopReason, World } from './process-world.ts';
import type { Program } from './program.ts';
import type { AttemptRef, ProcessState } from './runtime/runtime.ts';
import { typeOf } from './server-type.ts';

export interface Observed {
  /** Whose world it is. */
  readonly node: string;
  readonly process: ProcessState | null;
  readonly program: Program;
  readonly nodeOpen: boolean;
  readonly jitter: number;
}

/** What was read and observed, as the plan takes it. */
export function worldOf(row: InstanceRow, observed: Observed): World {
  return {
    now: row.now.getTime(),
    instance: {
      generation: row.generation,
      processGeneration: row.process_generation,
      running: row.running,
      restart: row.restart,
      expiresAt: row.expires_at?.getTime() ?? null,
      expired: row.expired,
      deleting: row.deleting,
      tokenVersion: row.token_version,
      typeProgram: row.type_program,
      typeIsNew: row.type_program !== null && row.last_type_program !== row.type_program,
      changedAt: row.updated_at.getTime(),
    },
    key: keyOf(row),
    program: observed.program,
    placement:
      row.placement_port === null || row.placement_node !== observed.node
        ? null
        : {
            port: row.placement_port,
            conflicted: row.conflict_at !== null && row.placed_at !== null && row.conflict_at > row.placed_at,
          },
    status: {
      phase: row.phase,
      observedGeneration: row.observed_generation,
      conditions: row.conditions,
      backoffStep: row.backoff_step,
      restartCount: row.restart_count,
      heldGeneration: row.held_generation,
      nextStartAt: row.next_start_at?.getTime() ?? null,
      readyAt: row.ready_at?.getTime() ?? null,
    },
    attempt: row.attempt === null ? null : worldAttempt(row.attempt),
    process: observed.process,
    health: row.health === null ? null : { ...row.health, changedAt: Date.parse(row.health.changed_at) },
    tools: { seen: row.tools_seen, known: row.tools_known },
    nodeOpen: observed.nodeOpen,
    jitter: observed.jitter,
  };
}

export function worldAttempt(row: AttemptRow): Attempt {
  return {
    port: row.port,
    processGeneration: row.process_generation,
    keyVersion: row.key_version,
    typeProgram: row.type_program,
    leaseExpiresAt: time(row.lease_expires_at),
    tokenVersion: row.token_version,
    beganAt: Date.parse(row.began_at),
    spawned: row.spawned_at !== null,
    stoppingAt: time(row.stopping_at),
    stopReason: row.stop_reason as StopReason | null,
    killed: row.killed_at !== null,
  };
}

export function attemptRef(row: InstanceRow): AttemptRef | null {
  const { attempt } = row;
  if (attempt === null) return null;
  const identity =
    attempt.pid === null || attempt.start_time === null || attempt.boot_id === null
      ? null
      : { pid: attempt.pid, startTime: attempt.start_time, bootId: attempt.boot_id };
  return { id: attempt.id, instanceUid: row.uid, identity };
}

function keyOf(row: InstanceRow): World['key'] {
  const type = typeOf(row);
  // One that takes no key any more does not mind the one that it was given before.
  if (type?.key === 'none') return { state: 'unneeded', version: row.key_version, message: '' };
  if (row.api_key === null) {
    if (type?.key !== 'required') return { state: 'unneeded', version: null, message: '' };
    return missing(`The type ${row.type} needs an api key; name one in spec.apiKey`);
  }
  if (row.key_version === null) {
    return missing(`There is no api key "${row.api_key}"; set it with PUT /api/v1/api-keys/${row.api_key}`);
  }
  if (row.key_type !== row.type) {
    return missing(
      `The api key "${row.api_key}" is of type ${row.key_type}; this instance needs one of type ${row.type}`,
    );
  }
  const lacks =
    type === null || type.manifest === null || row.key_fields === null
      ? []
      : missingSecrets(type.manifest, row.key_fields);
  if (lacks.length > 0) {
    return missing(
      `The api key "${row.api_key}" has no ${lacks.join(', ')}, which the type ${row.type} needs; set it anew with PUT /api/v1/api-keys/${row.api_key}`,
    );
  }
  return { state: 'present', version: row.key_version, message: '' };
}

function missing(message: string): World['key'] {
  return { state: 'missing', version: null, message };
}

function time(text: string | null): number | null {
  return text === null ? null : Date.parse(text);
}
