import type { Phase } from '../specs/phase.ts';
import { planLive } from './process-live.plan.ts';
import { awaited, notInstalled } from './process-package.plan.ts';
import { fresh, ready } from './process-reasons.plan.ts';
import type { Action, ConditionDraft, EventDraft, Limits, World } from './process-world.ts';

const placeSoonMs = 1_000;
const checkedSoonMs = 100;

/** The one next step that brings an instance's process closer to what is desired. */
export function planProcess(world: World, limits: Limits): Action {
  const { attempt, process } = world;
  return attempt !== null && process !== null ? planLive(world, attempt, process, limits) : planIdle(world);
}

/** There is no process, and none is intended yet. */
function planIdle(world: World): Action {
  const { instance, status } = world;
  if (instance.deleting) {
    if (status.phase === 'Deleting') return { kind: 'delete', reason: 'No process is left' };
    return rest(world, 'Deleting', { reason: 'Deleting', message: 'Deletion was asked for; no process runs' });
  }
  if (instance.expired)
    return rest(world, 'Expired', { reason: 'Expired', message: 'The lease has ended; no process runs' });
  if (!instance.running)
    return rest(world, 'Stopped', { reason: 'Stopped', message: 'Stopped by hand; no process runs' });
  // The expiry controller says so in a moment; a process would only end again at once.
  if (instance.expiresAt !== null && instance.expiresAt <= world.now) return wait(500);
  // This node's next start finds everything as it is left here.
  if (!world.nodeOpen) return wait(null);
  if (status.heldGeneration === instance.processGeneration) {
    const message = 'It ended, and its restart policy says: not again';
    return rest(world, 'Stopped', { reason: 'Stopped', message }, true);
  }
  return planStart(world);
}

/** A process should run: is everything there that it needs? */
function planStart(world: World): Action {
  const { status, key, program, placement } = world;
  // First, because what has no place is looked at by every node. The scheduler rings when it has found a (new) one.
  if (placement === null || placement.conflicted) return unplaced(world);
  if (key.state === 'missing') return blocked(world, 'SecretMissing', key.message);
  if (program.state === 'misconfigured') {
    return blocked(world, 'Misconfigured', program.message, program.notInstalled === true ? notInstalled : undefined);
  }
  if (program.state === 'checking') return wait(checkedSoonMs);
  if (program.state === 'installing') return installing(world);
  const event = awaited(world);
  if (event !== null) return installed(world, event);
  if (status.phase === 'Backoff' && !fresh(world) && status.nextStartAt !== null && status.nextStartAt > world.now) {
    return wait(status.nextStartAt - world.now);
  }
  const message = `Starting on port ${placement.port}`;
  return {
    kind: 'begin',
    change: {
      to: 'Starting',
      event: { reason: 'Spawning', message, data: { port: placement.port } },
      conditions: [ready('False', 'Starting', message)],
      backoffStep: fresh(world) ? 0 : status.backoffStep,
      restartCount: status.restartCount + (status.phase === 'Backoff' ? 1 : 0),
      heldGeneration: null,
      nextStartInMs: null,
    },
  };
}

/** A place comes in a moment; where it does not, the phase must not go on saying that nothing is to run. */
function unplaced(world: World): Action {
  const { instance, status } = world;
  const patienceMs = instance.changedAt + placeSoonMs - world.now;
  if (patienceMs > 0) return wait(patienceMs);
  const atRest = status.phase === 'Expired' || status.phase === 'Stopped';
  const message = 'It is to run and has no place yet: no node is alive, or every port of the range is taken';
  const said = status.conditions.some(condition => condition.type === 'Ready' && condition.message === message);
  if (said && !atRest) return wait(null);
  const to = atRest ? 'Pending' : status.phase;
  return mark(world, to, atRest ? { reason: 'Restored', message } : null, [ready('False', 'NoPlace', message)]);
}

/** Nothing is to run: the phase says so, once. */
function rest(world: World, to: Phase, event: EventDraft, held = false): Action {
  const { status, instance } = world;
  if (status.phase === to && status.observedGeneration === instance.generation) return wait(null);
  const action = mark(world, to, status.phase === to ? null : event, [ready('False', to, event.message)]);
  // Put to rest for another reason, it is free to start again when that is over.
  return held ? action : { ...action, change: { ...action.change, heldGeneration: null } };
}

/** Something is missing that only people can mend; what mends it wakes us. */
function blocked(
  world: World,
  type: 'SecretMissing' | 'Misconfigured',
  message: string,
  reason: string = type,
): Action {
  const conditions: ConditionDraft[] = [{ type, status: 'True', reason, message }, ready('False', type, message)];
  const said = world.status.conditions.some(c => c.type === type && c.status === 'True' && c.message === message);
  if (said && world.status.phase === 'Pending' && world.status.observedGeneration === world.instance.generation) {
    return wait(type === 'Misconfigured' ? 10_000 : null);
  }
  return mark(world, 'Pending', { reason: type, message }, conditions);
}

/** Told once when it begins to wait, however often it is looked at. */
function installing(world: World): Action {
  const { status, program, instance } = world;
  const { message } = program;
  // Beside a process that went on, the same stood behind why.
  const said = status.conditions.find(c => c.type === 'Installing' && c.message.endsWith(message));
  const atRest = status.phase === 'Expired' || status.phase === 'Stopped';
  if (said?.message === message && !atRest && status.observedGeneration === instance.generation) return wait(1_000);
  const to = atRest ? 'Pending' : status.phase;
  const action = mark(world, to, atRest ? { reason: 'Restored', message } : null, [
    { type: 'Installing', status: 'True', reason: 'Installing', message },
    ready('False', 'Installing', message),
  ]);
  return said !== undefined
    ? action
    : { ...action, change: { ...action.change, also: { reason: 'Installing', message } } };
}

function installed(world: World, event: EventDraft): Action {
  const { message } = event;
  const atRest = world.status.phase === 'Expired' || world.status.phase === 'Stopped';
  const to = atRest ? 'Pending' : world.status.phase;
  const action = mark(world, to, atRest ? { reason: 'Restored', message } : null, [
    ready('False', 'Installed', message),
  ]);
  return { ...action, change: { ...action.change, also: event } };
}

function mark(
  world: World,
  to: Phase,
  event: EventDraft | null,
  conditions: readonly ConditionDraft[],
): Action & { kind: 'mark' } {
  // A phase that stays has no transition to tell; a sentence about it is told beside it.
  const same = world.status.phase === to;
  const anew = fresh(world);
  return {
    kind: 'mark',
    change: {
      to,
      event: same ? null : event,
      ...(same && event !== null ? { also: event } : {}),
      conditions,
      // From here on the generation counts as observed, and must not wait for what failed before it.
      ...(anew ? { backoffStep: 0 } : {}),
      ...(to !== 'Backoff' ? { nextStartInMs: null } : anew ? { nextStartInMs: 0 } : {}),
    },
  };
}

function wait(againMs: number | null): Action {
  return { kind: 'wait', againMs };
}
