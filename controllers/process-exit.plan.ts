import { stillInstalling } from './process-package.plan.ts';
import { fresh, outdated, ready, unwanted } from './process-reasons.plan.ts';
import type { Action, Attempt, EndDraft, Limits, StatusChange, StopReason, World } from './process-world.ts';
import type { Exit, ProcessState } from './runtime/runtime.ts';

/** Ended because it was of no use; every other end that was asked for is nobody's failure. */
const failing: ReadonlySet<StopReason | null> = new Set<StopReason>(['start-timeout', 'unhealthy']);

const because: Record<StopReason, string> = {
  deleting: 'its deletion was asked for',
  expired: 'its lease had ended',
  stopped: 'it was stopped by hand',
  shutdown: 'MiniMCP ended on its node',
  'spec-changed': 'its spec had changed or a restart was asked for',
  'key-changed': 'its api key had changed',
  'key-missing': 'its api key was gone',
  'type-changed': 'its type had changed',
  moved: 'it was given another place',
  'start-timeout': 'it was not ready in time',
  unhealthy: 'it did not answer any more',
};

/** What the probes found last, for one that was ended because of them. */
function found({ health }: World): string {
  return health === null || health.ready || health.message === '' ? '' : `: ${health.message}`;
}

/** The processes of an attempt are proven gone: close it, and say what comes next. */
export function planExit(
  world: World,
  attempt: Attempt,
  process: ProcessState & { kind: 'gone' },
  limits: Limits,
): Action {
  const end = describe(world, attempt, process);
  const { expiresAt, expired } = world.instance;
  // The host was faster than the expiry controller, which says it in a moment.
  if (end.reason === 'lease' && unwanted(world) === null && !expired && expiresAt !== null && expiresAt <= world.now) {
    return { kind: 'wait', againMs: 1_000 };
  }
  return { kind: 'end', end, change: next(world, attempt, process, end, limits) };
}

function describe(world: World, attempt: Attempt, process: ProcessState & { kind: 'gone' }): EndDraft {
  const { exit } = process;
  const code = exit?.code ?? null;
  const signal = exit?.signal ?? null;
  if (!attempt.spawned && exit === null) return { reason: 'NeverStarted', message: 'It was not started', code, signal };
  if (attempt.stopReason !== null) {
    const how = attempt.killed ? 'killed' : 'ended';
    return {
      reason: attempt.killed ? 'Killed' : 'Stopped',
      message: `It was ${how} because ${because[attempt.stopReason]}${failing.has(attempt.stopReason) ? found(world) : ''}`,
      code,
      signal,
    };
  }
  if (process.rebooted) return { reason: 'Rebooted', message: 'The machine was restarted', code, signal };
  if (exit === null)
    return {
      reason: 'Vanished',
      message: 'It ended while no controller watched; its exit status is unknown',
      code,
      signal,
    };
  // A host cannot have ended with a lease that it did not have.
  const believed = exit.reason !== 'lease' || attempt.leaseExpiresAt !== null;
  return { reason: (believed ? exit.reason : null) ?? 'Exited', message: exitSentence(exit), code, signal };
}

function exitSentence(exit: Exit): string {
  const how = exit.signal === null ? `Exited with code ${exit.code ?? 'unknown'}` : `Killed by ${exit.signal}`;
  // Of its own child the host tells how it ended.
  if (exit.reason === 'child-exited' && exit.message !== '') return exit.message;
  return exit.message === '' ? how : `${how}: ${exit.message}`;
}

function next(
  world: World,
  attempt: Attempt,
  process: ProcessState & { kind: 'gone' },
  end: EndDraft,
  limits: Limits,
): StatusChange {
  const objection = unwanted(world);
  if (objection !== null) return final(world, objection.reason, `${objection.message}; no process is left`);
  if (attempt.stopReason !== null && !failing.has(attempt.stopReason))
    return again(world, 'Killed', `${end.message}; ${successor(world)}`);
  if (end.reason === 'NeverStarted' && outdated(world, attempt) !== null)
    return again(world, 'Killed', 'Superseded before it was started');
  if (end.reason === 'NeverStarted' && world.program.state === 'installing')
    return again(world, 'Killed', 'Its package has to be installed before it is started');
  // Up until a moment ago its lease was shorter; a reboot is nobody's failure either.
  if (end.reason === 'lease')
    return again(world, 'Exited', 'It ended with the lease it knew, which was extended since');
  if (end.reason === 'Rebooted') return again(world, 'Exited', end.message);
  // However it ended: what was declared meanwhile was never tried, and no policy or backoff holds it up.
  if (attempt.processGeneration < world.instance.processGeneration)
    return again(world, 'Exited', `${end.message}; its spec had changed or a restart was asked for`);
  if (end.reason === 'misconfigured') return misconfigured(world, end, limits);
  const policy = world.instance.restart;
  const well = attempt.stopReason === null && end.code === 0;
  if (policy === 'never' || (policy === 'on-failure' && well)) {
    const message = `${end.message}; restart is "${policy}"`;
    return {
      to: 'Stopped',
      event: { reason: 'Exited', message, data: exitData(end) },
      conditions: [ready('False', 'Exited', message)],
      heldGeneration: world.instance.processGeneration,
    };
  }
  return failure(world, attempt, end);
}

function final(world: World, reason: StopReason, message: string): StatusChange {
  const to = reason === 'deleting' ? 'Deleting' : reason === 'expired' ? 'Expired' : 'Stopped';
  return {
    to,
    event: world.status.phase === to ? null : { reason: to, message },
    conditions: [ready('False', to, message)],
    backoffStep: 0,
    nextStartInMs: null,
  };
}

/** What comes after a process that was ended for the sake of another. */
function successor({ key, program }: World): string {
  if (key.state === 'missing') return 'a new one starts when its api key is there';
  if (program.state === 'misconfigured') return 'a new one starts when that is mended';
  return 'a new one takes its place';
}

/** A new process as soon as may be; nothing failed. */
function again(world: World, reason: 'Killed' | 'Exited', message: string): StatusChange {
  return {
    to: 'Pending',
    event: { reason, message },
    conditions: [ready('False', 'Restarting', message), ...stillInstalling(world)],
    backoffStep: fresh(world) ? 0 : world.status.backoffStep,
  };
}

/** No crash loop: it is tried again now and then, at once when the spec changes. */
function misconfigured(world: World, end: EndDraft, limits: Limits): StatusChange {
  return {
    to: 'Backoff',
    event: { reason: 'Misconfigured', message: end.message, data: exitData(end) },
    conditions: [
      { type: 'Misconfigured', status: 'True', reason: 'Misconfigured', message: end.message },
      ready('False', 'Misconfigured', end.message),
    ],
    ...(fresh(world) ? { backoffStep: 0, nextStartInMs: 0 } : { nextStartInMs: limits.misconfiguredMs }),
  };
}

/**
 * What was ready until now is started again at once, and so is what something new was declared of meanwhile; what
 * keeps failing waits 1, 2, 4 … 60 s.
 */
function failure(world: World, attempt: Attempt, end: EndDraft): StatusChange {
  const wasReady = world.status.readyAt !== null;
  const steps = Math.min((wasReady ? world.status.backoffStep : Math.max(world.status.backoffStep, 1)) + 1, 32);
  const step = fresh(world) ? 0 : steps;
  const delayMs = step <= 1 ? 0 : Math.round(Math.min(1000 * 2 ** (step - 2), 60_000) * (0.75 + world.jitter / 2));
  const waits = delayMs === 0 ? 'starting again at once' : `starting again in ${(delayMs / 1000).toFixed(1)} s`;
  return {
    to: 'Backoff',
    event: { reason: attempt.stopReason === null ? 'Exited' : 'Killed', message: end.message, data: exitData(end) },
    ...(delayMs > 0
      ? {
          also: {
            reason: 'BackingOff' as const,
            message: `${step === 2 ? 'Failed' : `Failed ${step - 1} times in a row`}; ${waits}`,
            data: { delayMs },
          },
        }
      : {}),
    conditions: [ready('False', 'BackingOff', `${end.message}; ${waits}`), ...stillInstalling(world)],
    backoffStep: step,
    nextStartInMs: delayMs,
  };
}

function exitData(end: EndDraft): Record<string, unknown> {
  return { reason: end.reason, code: end.code, signal: end.signal };
}
