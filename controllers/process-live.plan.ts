import { planExit } from './process-exit.plan.ts';
import { isAboutRoll, planInstalled, planRoll, stillInstalling } from './process-package.plan.ts';
import { fresh, mayWait, outdated, ready, sick, unwanted } from './process-reasons.plan.ts';
import type { Objection } from './process-reasons.plan.ts';
import type { Action, Attempt, Limits, StatusChange, World } from './process-world.ts';
import type { ProcessState } from './runtime/runtime.ts';

/** A start was intended and has not been closed: there is a process, or there was or will be one. */
export function planLive(world: World, attempt: Attempt, process: ProcessState, limits: Limits): Action {
  switch (process.kind) {
    case 'pending':
      // It accepts the assignment that is on its way, or ends because its channel is closed.
      if (world.now - attempt.beganAt < limits.acceptMs) return { kind: 'wait', againMs: 50 };
      return { kind: 'kill', reason: 'The host has no assignment and does not end', againMs: limits.killAgainMs };
    case 'alive':
      if (!attempt.spawned || process.knownForMs === null) {
        return { kind: 'adopt', reason: 'Found running; taken over without touching it' };
      }
      return planRunning(world, attempt, process.knownForMs, limits);
    case 'gone':
      if (process.leftovers > 0) {
        return {
          kind: 'kill',
          reason: `${process.leftovers} of its processes outlived it`,
          againMs: limits.killAgainMs,
        };
      }
      if (!attempt.spawned && process.exit === null && !unwanted(world) && !outdated(world, attempt)) {
        if (world.program.state === 'checking') return { kind: 'wait', againMs: 100 };
        if (world.program.state !== 'installing')
          return { kind: 'start', reason: 'Intended, and no process was found' };
      }
      return planExit(world, attempt, process, limits);
    default:
      return process satisfies never;
  }
}

function planRunning(world: World, attempt: Attempt, knownForMs: number, limits: Limits): Action {
  if (attempt.stoppingAt !== null) return planStopping(world, attempt, attempt.stoppingAt, limits);
  const old = outdated(world, attempt);
  const waits = mayWait(world, old);
  const objection = unwanted(world) ?? (waits ? null : old) ?? sick(world, attempt, knownForMs, limits);
  if (objection !== null) {
    return (objection.reason === 'type-changed' ? planInstalled(world) : null) ?? stop(world, objection);
  }
  // The phase first: a host that does not answer cannot be told of a new lease, and must not look well for it.
  const phase = planPhase(world, attempt, limits);
  if (phase.kind !== 'wait') return phase;
  const roll = planRoll(world, waits);
  if (roll !== null) return roll;
  const { instance } = world;
  if (attempt.leaseExpiresAt !== instance.expiresAt) return { kind: 'renew', reason: 'The lease has changed' };
  if (attempt.tokenVersion !== instance.tokenVersion) return { kind: 'renew', reason: 'The token was rotated' };
  const { seen, known } = world.tools;
  if (seen !== null && seen !== known) return { kind: 'note-tools', reason: 'It has other tools than before' };
  return phase;
}

/** The ladder: asked to end at `stoppingAt`, killed after the grace. It is never climbed down again. */
function planStopping(world: World, attempt: Attempt, stoppingAt: number, limits: Limits): Action {
  const graceMs = graceOf(world, attempt, limits);
  const leftMs = stoppingAt + graceMs - world.now;
  // Said at every look: the signal of the first may not have been sent.
  if (leftMs > 0) return { kind: 'terminate', reason: 'Asked to end', againMs: Math.min(leftMs, limits.askAgainMs) };
  // What even SIGKILL does not end at once is not hammered.
  const againMs = Math.min(Math.max(-leftMs / 2, limits.killAgainMs), limits.killAgainMostMs);
  return { kind: 'kill', reason: `Did not end within ${graceMs} ms`, againMs };
}

function graceOf(world: World, attempt: Attempt, limits: Limits): number {
  if (world.instance.expired) return limits.expiryGraceMs;
  const mute = attempt.stopReason === 'unhealthy' || attempt.stopReason === 'start-timeout';
  return mute ? limits.sickGraceMs : limits.stopGraceMs;
}

function stop(world: World, objection: Objection): Action {
  const to = objection.reason === 'deleting' ? 'Deleting' : 'Stopping';
  const change: StatusChange = {
    to,
    event:
      world.status.phase === to
        ? null
        : {
            reason: to === 'Deleting' ? 'Deleting' : 'Killing',
            message: objection.message,
            data: { reason: objection.reason },
          },
    conditions: [ready('False', to, objection.message), ...stillInstalling(world)],
    ...(fresh(world) ? { backoffStep: 0 } : {}),
  };
  return { kind: 'stop', stopReason: objection.reason, change };
}

/** It runs and may go on: does the phase say what the probes say? */
function planPhase(world: World, attempt: Attempt, limits: Limits): Action {
  const { status, health, instance } = world;
  if (health?.ready && status.phase !== 'Ready') {
    const event =
      status.phase === 'Unhealthy'
        ? ({ reason: 'Recovered', message: 'Answers again' } as const)
        : ({ reason: 'Ready', message: `Answers on port ${attempt.port}` } as const);
    return mark(world, 'Ready', event);
  }
  if (health !== null && !health.ready && status.phase === 'Ready') {
    return mark(world, 'Unhealthy', { reason: 'Unhealthy', message: health.message });
  }
  if (status.phase !== 'Starting' && status.phase !== 'Ready' && status.phase !== 'Unhealthy') {
    // Only a hand in the database makes this; what really runs wins.
    return mark(world, 'Starting', { reason: 'Adopted', message: 'A process runs' });
  }
  const stableInMs =
    status.phase === 'Ready' && status.backoffStep > 0 && status.readyAt !== null
      ? status.readyAt + limits.stableMs - world.now
      : null;
  if (status.observedGeneration < instance.generation || (stableInMs !== null && stableInMs <= 0)) {
    return mark(world, status.phase, null);
  }
  if (status.phase === 'Starting')
    return { kind: 'wait', againMs: attempt.beganAt + limits.startTimeoutMs - world.now };
  if (status.phase === 'Unhealthy' && health !== null)
    return { kind: 'wait', againMs: health.changedAt + limits.unhealthyMs - world.now };
  return { kind: 'wait', againMs: stableInMs };
}

function mark(
  world: World,
  to: 'Starting' | 'Ready' | 'Unhealthy',
  event: StatusChange['event'],
): Action & { kind: 'mark' } {
  const { status, instance, health } = world;
  const stable = to === 'Ready' && status.phase === 'Ready';
  const message = to === 'Ready' ? 'The MCP server answers' : health?.message || 'It has not answered yet';
  return {
    kind: 'mark',
    change: {
      to,
      event,
      conditions: [
        ready(to === 'Ready' ? 'True' : 'False', to === 'Ready' ? 'ProbeSucceeded' : to, message),
        ...status.conditions.filter(isAboutRoll),
      ],
      // Stable for long enough, or made of a new spec without a restart: what failed before counts no more.
      backoffStep: stable || status.observedGeneration < instance.generation ? 0 : status.backoffStep,
    },
  };
}
