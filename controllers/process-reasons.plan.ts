import type { Attempt, ConditionDraft, Limits, StopReason, World } from './process-world.ts';

/** Why an instance's process should not be, or not go on; with a sentence for people. */
export interface Objection {
  readonly reason: StopReason;
  readonly message: string;
}

/** Nobody wants a process: deleted, expired, stopped by hand, or this node gives up. */
export function unwanted(world: World): Objection | null {
  if (world.instance.deleting) return { reason: 'deleting', message: 'Deletion was asked for' };
  if (world.instance.expired) return { reason: 'expired', message: 'The lease has ended' };
  if (!world.instance.running) return { reason: 'stopped', message: 'Stopped by hand' };
  if (!world.nodeOpen) return { reason: 'shutdown', message: 'MiniMCP ends on this node; it starts again with it' };
  return null;
}

/** A process is wanted, but not this one: it was made of something else. */
export function outdated(world: World, attempt: Attempt): Objection | null {
  if (attempt.processGeneration < world.instance.processGeneration) {
    return {
      reason: 'spec-changed',
      message: 'Its spec has changed, or a restart was asked for, since it was started',
    };
  }
  if (world.key.state === 'missing') return { reason: 'key-missing', message: world.key.message };
  if (attempt.keyVersion !== world.key.version)
    return { reason: 'key-changed', message: 'Its api key has changed since it was started' };
  if (world.placement === null || world.placement.port !== attempt.port)
    return { reason: 'moved', message: 'It was given another place' };
  // The last, because it may have to wait. Of a type that is gone nothing better could be made.
  const { typeProgram } = world.instance;
  if (typeProgram !== null && attempt.typeProgram !== typeProgram)
    return { reason: 'type-changed', message: 'Its type has changed since it was started' };
  return null;
}

/**
 * What its type names now cannot be run yet, and perhaps never: until it can, what runs goes on. A config that
 * does not fit the type any more is not waited for: what it was made of is not what is declared.
 */
export function mayWait(world: World, objection: Objection | null): boolean {
  const { state, misfit } = world.program;
  return objection?.reason === 'type-changed' && state !== 'ready' && misfit !== true;
}

/** Nothing was decided yet on what is desired now, so what failed before counts no more. */
export function fresh({ status, instance }: World): boolean {
  return status.observedGeneration < instance.generation || instance.typeIsNew;
}

/**
 * It lives and is of no use. Only what a probe has found since this controller has the process counts: that
 * nobody looked for a while is no fault of its.
 */
export function sick(world: World, attempt: Attempt, knownForMs: number, limits: Limits): Objection | null {
  const { phase } = world.status;
  if (world.health === null || world.health.ready) return null;
  if (phase === 'Starting' && Math.min(world.now - attempt.beganAt, knownForMs) >= limits.startTimeoutMs) {
    const why = world.health.message;
    return { reason: 'start-timeout', message: `Not ready ${limits.startTimeoutMs / 1000} s after its start: ${why}` };
  }
  if (phase === 'Unhealthy' && Math.min(world.now - world.health.changedAt, knownForMs) >= limits.unhealthyMs) {
    return {
      reason: 'unhealthy',
      message: `Unhealthy for ${limits.unhealthyMs / 1000} s: ${world.health.message}`,
    };
  }
  return null;
}

export function ready(status: ConditionDraft['status'], reason: string, message: string): ConditionDraft {
  return { type: 'Ready', status, reason, message };
}
