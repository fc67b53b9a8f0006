import fc from 'fast-check';
import type { Attempt, World } from '../../controllers/process-world.ts';
import type { ProcessState } from '../../controllers/runtime/runtime.ts';
import { pendingWorld } from './world.ts';

const now = pendingWorld().now;
const past = fc.integer({ min: now - 900_000, max: now });
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { nil: null });

const exit = maybe(
  fc.record({
    code: maybe(fc.constantFrom(0, 1, 70, 78)),
    signal: maybe(fc.constantFrom('SIGKILL', 'SIGTERM')),
    reason: maybe(fc.constantFrom('lease', 'drained', 'misconfigured', 'child-exited', 'unassigned', 'crashed')),
    message: fc.constantFrom('', 'why'),
  }),
);

const processState: fc.Arbitrary<ProcessState> = fc.oneof(
  fc.record({
    kind: fc.constant('alive' as const),
    identity: fc.constant({ pid: 4711, startTime: '1', bootId: 'b' }),
    knownForMs: maybe(fc.nat(100_000)),
  }),
  fc.constant({ kind: 'pending' as const }),
  fc.record({ kind: fc.constant('gone' as const), leftovers: fc.nat(2), exit, rebooted: fc.boolean() }),
);

const attempt: fc.Arbitrary<Attempt> = fc
  .record({
    port: fc.constantFrom(3001, 3002),
    processGeneration: fc.integer({ min: 1, max: 3 }),
    keyVersion: maybe(fc.integer({ min: 1, max: 2 })),
    typeProgram: maybe(fc.constantFrom('one', 'two')),
    leaseExpiresAt: maybe(past),
    tokenVersion: fc.integer({ min: 1, max: 2 }),
    beganAt: past,
    spawned: fc.boolean(),
    stoppingAt: maybe(past),
    killed: fc.boolean(),
    reason: fc.constantFrom('stopped' as const, 'spec-changed' as const, 'unhealthy' as const, 'expired' as const),
  })
  .map(({ reason, ...rest }) => ({
    ...rest,
    stopReason: rest.stoppingAt === null ? null : reason,
    killed: rest.stoppingAt !== null && rest.killed,
  }));

export const installation = { package: 'x', version: '1.0.0', integrity: null, packages: 1, bytes: 1, ms: 1 };

const conditions: World['status']['conditions'][] = [
  [],
  [{ type: 'Installing', status: 'True', reason: 'Installing', message: 'Installing x@1.0.0' }],
  [{ type: 'Misconfigured', status: 'True', reason: 'NotInstalled', message: 'x@1.0.0 could not be installed' }],
  [
    { type: 'Ready', status: 'True', reason: 'ProbeSucceeded', message: '' },
    { type: 'Installing', status: 'True', reason: 'TypeChanged', message: 'Goes on: Installing x@1.0.0' },
  ],
];

/** Any world that the database's constraints allow, however it came about. */
export const anyWorld: fc.Arbitrary<World> = fc
  .record({
    instance: fc.record({
      generation: fc.integer({ min: 3, max: 5 }),
      processGeneration: fc.integer({ min: 1, max: 3 }),
      running: fc.boolean(),
      restart: fc.constantFrom('always' as const, 'on-failure' as const, 'never' as const),
      lease: fc.constantFrom('none', 'future', 'over'),
      deleting: fc.boolean(),
      tokenVersion: fc.integer({ min: 1, max: 2 }),
      typeProgram: maybe(fc.constantFrom('one', 'two')),
      typeIsNew: fc.boolean(),
      changedAt: past,
    }),
    key: fc.constantFrom(
      { state: 'unneeded' as const, version: null, message: '' },
      { state: 'missing' as const, version: null, message: 'set it' },
      { state: 'present' as const, version: 1, message: '' },
    ),
    program: fc.constantFrom(
      { state: 'ready' as const, message: '' },
      { state: 'installing' as const, message: 'Installing x@1.0.0' },
      { state: 'checking' as const, message: 'Checking x@1.0.0' },
      { state: 'misconfigured' as const, message: 'not found' },
      { state: 'misconfigured' as const, message: 'x@1.0.0 could not be installed', notInstalled: true },
      { state: 'misconfigured' as const, message: 'it does not fit', misfit: true },
      { state: 'ready' as const, message: '', installation },
    ),
    placement: maybe(fc.record({ port: fc.constantFrom(3001, 3002), conflicted: fc.boolean() })),
    live: fc.boolean(),
    livePhase: fc.constantFrom(
      'Starting' as const,
      'Ready' as const,
      'Unhealthy' as const,
      'Stopping' as const,
      'Deleting' as const,
    ),
    idlePhase: fc.constantFrom(
      'Pending' as const,
      'Backoff' as const,
      'Stopped' as const,
      'Expired' as const,
      'Deleting' as const,
    ),
    observedGeneration: fc.integer({ min: 0, max: 3 }),
    backoffStep: fc.nat(8),
    restartCount: fc.nat(8),
    heldGeneration: maybe(fc.constantFrom(2, 3)),
    nextStartAt: fc.integer({ min: now - 1000, max: now + 60_000 }),
    readyAt: maybe(past),
    attempt,
    process: processState,
    health: maybe(fc.record({ ready: fc.boolean(), message: fc.constantFrom('', 'no answer'), changedAt: past })),
    conditions: fc.constantFrom(...conditions),
    toolsSeen: maybe(fc.constantFrom('one', 'two')),
    toolsKnown: maybe(fc.constantFrom('one', 'two')),
    nodeOpen: fc.boolean(),
    jitter: fc.double({ min: 0, max: 0.999, noNaN: true }),
  })
  .map(raw => {
    const expiresAt = raw.instance.lease === 'none' ? null : raw.instance.lease === 'over' ? now - 1 : now + 10_000_000;
    const { lease, ...instance } = raw.instance;
    // A phase of Deleting follows a request, and requests are not taken back.
    const phase = raw.live ? raw.livePhase : raw.idlePhase;
    // The ladder's intent and the phase are written together.
    const stopping = phase === 'Stopping' || phase === 'Deleting';
    const stop = stopping
      ? { stoppingAt: raw.attempt.stoppingAt ?? now - 10, stopReason: raw.attempt.stopReason ?? ('stopped' as const) }
      : { stoppingAt: null, stopReason: null, killed: false };
    return {
      now,
      instance: {
        ...instance,
        deleting: instance.deleting || phase === 'Deleting',
        expiresAt,
        expired: lease === 'over',
      },
      key: raw.key,
      program: raw.program,
      placement: raw.placement,
      status: {
        phase,
        observedGeneration: raw.observedGeneration,
        conditions: raw.conditions,
        backoffStep: raw.backoffStep,
        restartCount: raw.restartCount,
        heldGeneration: raw.live ? null : raw.heldGeneration,
        nextStartAt: phase === 'Backoff' ? raw.nextStartAt : null,
        readyAt: raw.live ? raw.readyAt : null,
      },
      attempt: raw.live ? { ...raw.attempt, ...stop } : null,
      process: raw.live ? raw.process : null,
      health: raw.live && raw.process.kind === 'alive' ? raw.health : null,
      tools: { seen: raw.live ? raw.toolsSeen : null, known: raw.toolsKnown },
      nodeOpen: raw.nodeOpen,
      jitter: raw.jitter,
    };
  });
