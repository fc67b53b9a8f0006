import { processLimits } from '../../controllers/process.ts';
import type { Action, Attempt, StatusChange, World } from '../../controllers/process-world.ts';
import type { Phase } from '../../specs/phase.ts';

/** A model of the world that the process plan acts on: what the effects would do, without doing it. */
export interface Model {
  world: World;
  /** Hosts that live; the plan must never let there be two. */
  hosts: number;
  /** Hosts that were ever started. */
  started: number;
  deleted: boolean;
  /** The host of now does not answer. */
  mute: boolean;
  events: { reason: string; from: Phase; to: Phase }[];
  /** What was told without a change of phase. */
  told: string[];
}

export const limits = processLimits;

export function pendingWorld(): World {
  return {
    now: 1_000_000,
    instance: {
      generation: 1,
      processGeneration: 1,
      running: true,
      restart: 'always',
      expiresAt: null,
      expired: false,
      deleting: false,
      tokenVersion: 1,
      typeProgram: null,
      typeIsNew: false,
      changedAt: 999_000,
    },
    key: { state: 'unneeded', version: null, message: '' },
    program: { state: 'ready', message: '' },
    placement: { port: 3001, conflicted: false },
    status: {
      phase: 'Pending',
      observedGeneration: 0,
      conditions: [],
      backoffStep: 0,
      restartCount: 0,
      heldGeneration: null,
      nextStartAt: null,
      readyAt: null,
    },
    attempt: null,
    process: null,
    health: null,
    tools: { seen: null, known: null },
    nodeOpen: true,
    jitter: 0.5,
  };
}

export function modelOf(world: World): Model {
  return {
    world,
    hosts: world.process?.kind === 'alive' ? 1 : 0,
    started: 0,
    deleted: false,
    mute: false,
    events: [],
    told: [],
  };
}

/** What the effects of an action make of the world. */
export function applyToModel(model: Model, action: Action): void {
  switch (action.kind) {
    case 'wait':
      advance(model, action.againMs ?? 0);
      return;
    case 'mark':
      change(model, action.change);
      return;
    case 'begin':
      change(model, action.change);
      patch(model, { attempt: newAttempt(model.world) });
      start(model);
      return;
    case 'start':
      start(model);
      return;
    case 'adopt': {
      const { process, attempt } = model.world;
      if (process?.kind !== 'alive' || attempt === null) throw new Error('there is nothing to adopt');
      patch(model, { process: { ...process, knownForMs: 0 }, attempt: { ...attempt, spawned: true } });
      return;
    }
    case 'renew': {
      const { instance } = model.world;
      // A host that does not answer cannot be told; time passes until the next try.
      if (model.mute) {
        advance(model, 2_000);
        return;
      }
      patchAttempt(model, { leaseExpiresAt: instance.expiresAt, tokenVersion: instance.tokenVersion });
      return;
    }
    case 'note-tools': {
      const { seen } = model.world.tools;
      if (model.world.attempt === null || seen === null) throw new Error('there are no tools to note');
      model.told.push('note-tools');
      patch(model, { tools: { seen, known: seen } });
      return;
    }
    case 'stop':
      change(model, action.change);
      patchAttempt(model, { stoppingAt: model.world.now, stopReason: action.stopReason });
      return;
    case 'terminate':
      advance(model, action.againMs);
      return;
    case 'kill':
      patchAttempt(model, { killed: true });
      die(model, { code: null, signal: 'SIGKILL', reason: null, message: '' });
      advance(model, action.againMs);
      return;
    case 'end':
      change(model, action.change);
      patch(model, { attempt: null, process: null, health: null, tools: { ...model.world.tools, seen: null } });
      return;
    case 'delete':
      model.deleted = true;
      return;
    default:
      action satisfies never;
  }
}

export function advance(model: Model, ms: number): void {
  const { now, process } = model.world;
  const passed = Math.max(0, ms);
  patch(model, { now: now + passed });
  if (process?.kind === 'alive' && process.knownForMs !== null) {
    patch(model, { process: { ...process, knownForMs: process.knownForMs + passed } });
  }
}

/** The host ends, with nothing left of it. */
export function die(
  model: Model,
  exit: { code: number | null; signal: string | null; reason: 'lease' | null; message: string } | null,
): void {
  if (model.world.attempt === null) return;
  model.hosts = 0;
  patch(model, { process: { kind: 'gone', leftovers: 0, exit, rebooted: false }, health: null });
}

export function patch(model: Model, part: Partial<World>): void {
  model.world = { ...model.world, ...part };
}

function patchAttempt(model: Model, part: Partial<Attempt>): void {
  if (model.world.attempt === null) throw new Error('there is no attempt');
  patch(model, { attempt: { ...model.world.attempt, ...part } });
}

function start(model: Model): void {
  model.hosts += 1;
  model.mute = false;
  model.started += 1;
  patchAttempt(model, { spawned: true });
  patch(model, {
    process: { kind: 'alive', identity: { pid: 1, startTime: '1', bootId: 'b' }, knownForMs: 0 },
    health: null,
  });
}

function newAttempt(world: World): Attempt {
  if (world.attempt !== null) throw new Error('a second live attempt');
  return {
    port: world.placement!.port,
    processGeneration: world.instance.processGeneration,
    keyVersion: world.key.version,
    typeProgram: world.instance.typeProgram,
    leaseExpiresAt: world.instance.expiresAt,
    tokenVersion: world.instance.tokenVersion,
    beganAt: world.now,
    spawned: false,
    stoppingAt: null,
    stopReason: null,
    killed: false,
  };
}

function change(model: Model, to: StatusChange): void {
  const { status, instance, now } = model.world;
  if (to.to !== status.phase) {
    if (to.event === null) throw new Error(`${status.phase} → ${to.to} without an event`);
    model.events.push({ reason: to.event.reason, from: status.phase, to: to.to });
  } else if (to.event !== null) {
    throw new Error(`an event ${to.event.reason} of a change of phase, and the phase stays ${to.to}`);
  }
  if (to.also !== undefined) model.told.push(to.also.reason);
  const idle = ['Pending', 'Backoff', 'Stopped', 'Expired', 'Starting'].includes(to.to);
  patch(model, {
    status: {
      phase: to.to,
      observedGeneration: instance.generation,
      conditions: to.conditions,
      backoffStep: to.backoffStep ?? status.backoffStep,
      restartCount: to.restartCount ?? status.restartCount,
      heldGeneration: to.heldGeneration === undefined ? status.heldGeneration : to.heldGeneration,
      nextStartAt:
        to.nextStartInMs === undefined ? status.nextStartAt : to.nextStartInMs === null ? null : now + to.nextStartInMs,
      readyAt: idle ? null : to.to === 'Ready' && status.phase === 'Starting' ? now : status.readyAt,
    },
  });
}
