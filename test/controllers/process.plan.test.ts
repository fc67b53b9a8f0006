import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planProcess } from '../../controllers/process.plan.ts';
import type { Action, World } from '../../controllers/process-world.ts';
import { anyWorld, installation } from '../sim/arbitrary.ts';
import { advance, applyToModel, die, limits, modelOf, patch, pendingWorld } from '../sim/world.ts';
import type { Model } from '../sim/world.ts';

/** Plans and applies until nothing is left to do, letting a live host become ready. */
function settle(model: Model, maxSteps = 60): Action {
  for (let step = 0; step < maxSteps; step++) {
    const action = planProcess(model.world, limits);
    if (model.deleted) return action;
    const { process, attempt, status, health } = model.world;
    // The rest of the world does its part: hosts accept and answer, those asked to end do.
    if (action.kind === 'wait' && process?.kind === 'pending') {
      die(model, null);
      continue;
    }
    if (action.kind === 'terminate' && process?.kind === 'alive' && attempt?.stoppingAt !== null) {
      die(model, { code: 0, signal: null, reason: null, message: '' });
      continue;
    }
    if (action.kind === 'wait' && process?.kind === 'alive' && !health?.ready && !model.mute) {
      patch(model, { health: { ready: true, message: '', changedAt: model.world.now } });
      continue;
    }
    if (action.kind === 'wait' && model.world.program.state === 'checking') {
      patch(model, { program: { state: 'ready', message: '' } });
      continue;
    }
    if (action.kind === 'wait' && model.world.placement?.conflicted) {
      patch(model, { placement: { port: model.world.placement.port === 3001 ? 3002 : 3001, conflicted: false } });
      continue;
    }
    if (action.kind === 'wait' && (action.againMs === null || status.phase === 'Ready' || isBlocked(model.world)))
      return action;
    applyToModel(model, action);
    expect(model.hosts).toBeLessThanOrEqual(1);
  }
  throw new Error(
    `did not settle; it is ${model.world.status.phase} and plans ${JSON.stringify(planProcess(model.world, limits))}`,
  );
}

function isBlocked(world: World): boolean {
  return world.key.state === 'missing' || world.program.state !== 'ready' || world.placement === null;
}

/** What the phase has to be once everything is done. */
function goal(world: World): string[] {
  if (world.instance.expired) return ['Expired'];
  if (!world.instance.running) return ['Stopped'];
  if (!world.nodeOpen) return ['Stopped', 'Pending', 'Backoff', 'Expired'];
  if (world.status.heldGeneration === world.instance.processGeneration) return ['Stopped'];
  // What runs goes on running when its program is taken away beneath it.
  const runs = world.process?.kind === 'alive' && world.program.state !== 'ready' ? ['Ready'] : [];
  if (isBlocked(world)) return ['Pending', 'Backoff', 'Stopped', 'Expired', ...runs];
  return ['Ready'];
}

describe('a converged world plans nothing', () => {
  test.each(['Ready', 'Stopped', 'Expired', 'SecretMissing', 'shut down'])('%s', name => {
    const model = modelOf(pendingWorld());
    const { instance } = model.world;
    if (name === 'Stopped') patch(model, { instance: { ...instance, running: false } });
    if (name === 'Expired') patch(model, { instance: { ...instance, expired: true, expiresAt: model.world.now } });
    if (name === 'SecretMissing') patch(model, { key: { state: 'missing', version: null, message: 'set it' } });
    if (name === 'shut down') patch(model, { nodeOpen: false });
    settle(model);
    for (let look = 0; look < 3; look++) {
      advance(model, 1000);
      expect(planProcess(model.world, limits)).toMatchObject({ kind: 'wait' });
    }
  });

  test('from any state, repeated planning and applying converges, and then plans nothing', () => {
    fc.assert(
      fc.property(anyWorld, world => {
        const model = modelOf(world);
        settle(model);
        expect(model.deleted).toBe(world.instance.deleting);
        if (model.deleted) return;
        expect(goal(model.world)).toContain(model.world.status.phase);
        expect(planProcess(model.world, limits).kind).toBe('wait');
      }),
      { numRuns: 5000 },
    );
  });

  test('and the same with hosts that die at any moment, never two at a time', () => {
    fc.assert(
      fc.property(anyWorld, fc.array(fc.nat(12), { maxLength: 6 }), (world, deaths) => {
        const model = modelOf(world);
        for (const steps of deaths) {
          for (let step = 0; step < steps && !model.deleted; step++) {
            applyToModel(model, planProcess(model.world, limits));
            expect(model.hosts).toBeLessThanOrEqual(1);
          }
          if (model.world.process?.kind === 'alive')
            die(model, { code: 1, signal: null, reason: null, message: 'died' });
        }
        settle(model, 120);
        if (!world.instance.deleting) expect(goal(model.world)).toContain(model.world.status.phase);
      }),
      { numRuns: 3000 },
    );
  });

  test('every transition is one that the database allows', () => {
    const sql = readFileSync(new URL('../../migrations/0001_core.sql', import.meta.url), 'utf8');
    const machine = sql.slice(
      sql.indexOf('events_transition_is_allowed'),
      sql.indexOf('create index events_by_instance'),
    );
    const allowed = new Set([...machine.matchAll(/\('(\w+)', '(\w+)'\)/g)].map(([, from, to]) => `${from} ${to}`));
    expect(allowed.size).toBeGreaterThan(30);
    fc.assert(
      fc.property(anyWorld, world => {
        const model = modelOf(world);
        settle(model);
        for (const event of model.events) expect(allowed).toContain(`${event.from} ${event.to}`);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('a package', () => {
  const installing = { state: 'installing', message: 'Installing x@1.0.0' } as const;
  const failed = { state: 'misconfigured', message: 'x@1.0.0 could not be installed', notInstalled: true } as const;
  const there = { state: 'ready', message: '', installation } as const;

  test.each(['Pending', 'Stopped', 'Expired'] as const)(
    'that is waited for is told once, and once when it is there (from %s)',
    phase => {
      const world = pendingWorld();
      const model = modelOf({ ...world, program: installing, status: { ...world.status, phase } });
      for (let look = 0; look < 20; look++) applyToModel(model, planProcess(model.world, limits));
      expect(model.told).toEqual(['Installing']);
      patch(model, { program: there });
      settle(model);
      expect(model.told).toEqual(['Installing', 'Installed']);
      expect(model.world.status.phase).toBe('Ready');
    },
  );

  test('that was there already is not told', () => {
    const model = modelOf({ ...pendingWorld(), program: { state: 'checking', message: 'Checking x@1.0.0' } });
    expect(planProcess(model.world, limits)).toMatchObject({ kind: 'wait' });
    patch(model, { program: there });
    settle(model);
    expect(model.told).toEqual([]);
  });

  test('that could not be installed is told once, and its installation after all', () => {
    const model = modelOf({ ...pendingWorld(), program: installing });
    applyToModel(model, planProcess(model.world, limits));
    patch(model, { program: failed });
    for (let look = 0; look < 20; look++) applyToModel(model, planProcess(model.world, limits));
    expect(model.told).toEqual(['Installing', 'Misconfigured']);
    patch(model, { program: there });
    settle(model);
    expect(model.told).toEqual(['Installing', 'Misconfigured', 'Installed']);
  });

  test('is told as installed only where just this one was waited for', () => {
    const others = ['q@1.0.0', '@scope/x@1.0.0', 'x@1.0.0-rc.1', 'x@1.0.01'].flatMap(other => [
      { type: 'Misconfigured' as const, reason: 'NotInstalled', message: `${other} could not be installed: 404` },
      { type: 'Installing' as const, reason: 'Installing', message: `Installing ${other}` },
    ]);
    for (const condition of others) {
      const { status, ...world } = pendingWorld();
      const model = modelOf({
        ...world,
        program: there,
        status: { ...status, conditions: [{ ...condition, status: 'True' }] },
      });
      settle(model);
      expect([condition.message, model.told, model.world.status.phase]).toEqual([condition.message, [], 'Ready']);
    }
  });

  test('is nothing to tell or to wait for as long as there is no place: that is for every node to see', () => {
    for (const program of [installing, failed, there, { state: 'checking', message: 'Checking x@1.0.0' } as const]) {
      const { status, ...world } = pendingWorld();
      const said = { type: 'Installing' as const, status: 'True' as const, reason: 'Installing', message: 'x@1.0.0' };
      const unplaced = { ...world, placement: null, program, status: { ...status, conditions: [said] } };
      const model = modelOf(unplaced);
      for (let look = 0; look < 5; look++) applyToModel(model, planProcess(model.world, limits));
      expect(model.told).toEqual([]);
      expect(model.world.status.conditions).toMatchObject([{ type: 'Ready', reason: 'NoPlace' }]);
    }
  });

  test('no two nodes decide on what has no place by their own programs', () => {
    fc.assert(
      fc.property(anyWorld, anyWorld, (world, { program }) => {
        const unplaced = { ...world, attempt: null, process: null, placement: null };
        fc.pre(!['Starting', 'Ready', 'Unhealthy', 'Stopping'].includes(world.status.phase));
        expect(planProcess({ ...unplaced, program }, limits)).toEqual(planProcess(unplaced, limits));
      }),
      { numRuns: 2000 },
    );
  });

  test('is told at most twice on the way from any state: its beginning and its end', () => {
    fc.assert(
      fc.property(anyWorld, world => {
        const model = modelOf(world);
        settle(model);
        for (const reason of ['Installing', 'Installed']) {
          expect(model.told.filter(each => each === reason).length).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test('that is gone when its start was recorded but not made is installed first', () => {
    const model = modelOf(pendingWorld());
    applyToModel(model, planProcess(model.world, limits));
    const { attempt } = model.world;
    patch(model, {
      attempt: { ...attempt!, spawned: false },
      process: { kind: 'gone', leftovers: 0, exit: null, rebooted: false },
      program: installing,
    });
    model.hosts = 0;
    settle(model);
    expect(model.world).toMatchObject({ attempt: null, status: { phase: 'Pending' } });
    expect(model.told).toContain('Installing');
  });
});

describe('tools', () => {
  function withTools(seen: string): Model {
    const model = modelOf(pendingWorld());
    settle(model);
    patch(model, { tools: { seen, known: null } });
    settle(model);
    return model;
  }

  test('are noted once for each list that is seen', () => {
    const model = withTools('one');
    expect(model.world.tools.known).toBe('one');
    expect(planProcess(model.world, limits).kind).toBe('wait');
    patch(model, { tools: { ...model.world.tools, seen: 'two' } });
    settle(model);
    expect(model.world.tools.known).toBe('two');
    expect(model.told.filter(told => told === 'note-tools')).toHaveLength(2);
  });

  test('are kept over a restart that shows the same', () => {
    const model = withTools('one');
    die(model, { code: 1, signal: null, reason: null, message: '' });
    settle(model);
    expect(model.world.tools).toEqual({ seen: null, known: 'one' });
    patch(model, { tools: { seen: 'one', known: 'one' } });
    expect(planProcess(model.world, limits).kind).toBe('wait');
  });

  test('wait for what is more urgent: ending, the phase, a new lease', () => {
    const model = withTools('one');
    patch(model, { tools: { seen: 'two', known: 'one' } });
    const { instance } = model.world;
    const urgent: [Partial<World>, string][] = [
      [{ instance: { ...instance, running: false } }, 'stop'],
      [{ health: { ready: false, message: 'no answer', changedAt: model.world.now } }, 'mark'],
      [{ instance: { ...instance, expiresAt: model.world.now + 9_000_000 } }, 'renew'],
    ];
    for (const [part, kind] of urgent) expect(planProcess({ ...model.world, ...part }, limits).kind).toBe(kind);
  });
});

describe('a host that does not answer', () => {
  test.each(['its lease changes', 'its token changes', 'nothing changes'])('is replaced although %s', what => {
    const model = modelOf(pendingWorld());
    settle(model);
    model.mute = true;
    const { instance } = model.world;
    if (what === 'its lease changes')
      patch(model, { instance: { ...instance, expiresAt: model.world.now + 9_000_000 } });
    if (what === 'its token changes') patch(model, { instance: { ...instance, tokenVersion: 2 } });
    patch(model, { health: { ready: false, message: 'no answer', changedAt: model.world.now } });
    settle(model);
    expect(model.started).toBe(2);
    expect(model.world.status.phase).toBe('Ready');
  });

  test('is not ended for what nobody looked at', () => {
    fc.assert(
      fc.property(anyWorld, fc.nat(200_000), (world, awayMs) => {
        // Controllers come back after a while: they know the host since a moment ago and have no probe of it.
        const process = { kind: 'alive', identity: { pid: 1, startTime: '1', bootId: 'b' }, knownForMs: 10 } as const;
        const late = { ...world, now: world.now + awayMs, process: world.attempt === null ? null : process };
        const action = planProcess(late, limits);
        if (action.kind === 'stop') expect(['start-timeout', 'unhealthy']).not.toContain(action.stopReason);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('restart policies', () => {
  function endOf(restart: 'always' | 'on-failure' | 'never', code: number): Model {
    const model = modelOf({ ...pendingWorld(), instance: { ...pendingWorld().instance, restart } });
    settle(model);
    die(model, { code, signal: null, reason: null, message: '' });
    settle(model);
    return model;
  }

  test.each([
    ['always', 0, 'Ready'],
    ['always', 1, 'Ready'],
    ['on-failure', 0, 'Stopped'],
    ['on-failure', 1, 'Ready'],
    ['never', 0, 'Stopped'],
    ['never', 1, 'Stopped'],
  ] as const)('%s after code %i: %s', (restart, code, phase) => {
    expect(endOf(restart, code).world.status.phase).toBe(phase);
  });

  test('never holds through an extension, and ends with a restart or with a stop and start by hand', () => {
    const model = endOf('never', 0);
    const { instance } = model.world;
    patch(model, { instance: { ...instance, generation: 2, expiresAt: model.world.now + 9_000_000 } });
    settle(model);
    expect(model.started).toBe(1);
    patch(model, { instance: { ...model.world.instance, generation: 3, running: false } });
    settle(model);
    patch(model, { instance: { ...model.world.instance, generation: 4, running: true } });
    settle(model);
    expect(model.started).toBe(2);
  });

  test('a stop and start in one breath is no failure', () => {
    const model = modelOf(pendingWorld());
    settle(model);
    patch(model, { instance: { ...model.world.instance, generation: 2, running: false } });
    applyToModel(model, planProcess(model.world, limits));
    patch(model, { instance: { ...model.world.instance, generation: 3, running: true } });
    settle(model);
    expect(model.world.status).toMatchObject({ phase: 'Ready', restartCount: 0, backoffStep: 0 });
  });

  test('a host that ended with its lease before the expiry was recorded waits for that', () => {
    const world = pendingWorld();
    const model = modelOf({ ...world, instance: { ...world.instance, expiresAt: world.now + 1000 } });
    settle(model);
    advance(model, 2_000);
    die(model, { code: 0, signal: null, reason: 'lease', message: '' });
    expect(planProcess(model.world, limits)).toMatchObject({ kind: 'wait' });
    patch(model, { instance: { ...model.world.instance, expired: true } });
    settle(model);
    expect(model.events.at(-1)).toMatchObject({ reason: 'Expired', from: 'Ready', to: 'Expired' });
  });
});

describe('what a plan never does', () => {
  test('start a process that nobody wants, or beside a live one', () => {
    fc.assert(
      fc.property(anyWorld, world => {
        const action = planProcess(world, limits);
        if (action.kind !== 'begin' && action.kind !== 'start') return;
        const { instance } = world;
        expect(instance.running && !instance.expired && !instance.deleting && world.nodeOpen).toBe(true);
        expect(world.process?.kind ?? 'gone').toBe('gone');
      }),
      { numRuns: 5000 },
    );
  });

  test('close an attempt or delete an instance while a process is left', () => {
    fc.assert(
      fc.property(anyWorld, world => {
        const action = planProcess(world, limits);
        if (action.kind === 'end') expect(world.process).toMatchObject({ kind: 'gone', leftovers: 0 });
        if (action.kind === 'delete') expect(world.attempt).toBeNull();
      }),
      { numRuns: 5000 },
    );
  });
});

describe('the backoff', () => {
  function crash(model: Model): number {
    die(model, { code: 3, signal: null, reason: null, message: 'boom' });
    applyToModel(model, planProcess(model.world, limits));
    expect(model.world.status.phase).toBe('Backoff');
    return model.world.status.nextStartAt! - model.world.now;
  }

  test('waits 1, 2, 4 … 60 s for a server that never gets ready', () => {
    const model = modelOf(pendingWorld());
    const delays: number[] = [];
    for (let round = 0; round < 9; round++) {
      advance(model, 100_000);
      applyToModel(model, planProcess(model.world, limits));
      delays.push(crash(model));
    }
    expect(delays).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    expect(model.world.status.restartCount).toBe(8);
  });

  test('starts again at once what was ready until now, then waits', () => {
    const model = modelOf(pendingWorld());
    const delays: number[] = [];
    for (let round = 0; round < 4; round++) {
      settle(model);
      expect(model.world.status.phase).toBe('Ready');
      delays.push(crash(model));
      advance(model, 100_000);
    }
    expect(delays).toEqual([0, 1000, 2000, 4000]);
  });

  test('starts anew after ten stable minutes and with a new generation', () => {
    const model = modelOf(pendingWorld());
    settle(model);
    crash(model);
    advance(model, 60_000);
    settle(model);
    crash(model);
    patch(model, { instance: { ...model.world.instance, generation: 2, processGeneration: 2 } });
    expect(planProcess(model.world, limits).kind).toBe('begin');
    settle(model);
    expect(model.world.status.backoffStep).toBe(0);
    crash(model);
    settle(model);
    expect(model.world.status.backoffStep).toBe(1);
    advance(model, limits.stableMs);
    settle(model);
    expect(model.world.status.backoffStep).toBe(0);
  });

  test.each([
    ['has to be fetched', { state: 'installing', message: 'Installing x@1.0.0' }],
    ['could not be fetched', { state: 'misconfigured', message: 'x@1.0.0 could not be installed', notInstalled: true }],
  ] as const)('ends with a mended spec whose package %s', (_, program) => {
    for (const part of [{ generation: 2, processGeneration: 2 }, { typeIsNew: true }]) {
      const { instance, status, ...rest } = pendingWorld();
      const model = modelOf({
        ...rest,
        instance: { ...instance, ...part },
        program,
        status: {
          ...status,
          phase: 'Backoff',
          backoffStep: 8,
          observedGeneration: 1,
          nextStartAt: rest.now + 60_000,
        },
      });
      for (let look = 0; look < 3; look++) applyToModel(model, planProcess(model.world, limits));
      // Where it was put to rest meanwhile, it does not back off any more, and nothing of its type is new.
      if (model.world.status.phase !== 'Backoff')
        patch(model, { instance: { ...instance, ...part, typeIsNew: false } });
      patch(model, { program: { state: 'ready', message: '', installation } });
      let action = planProcess(model.world, limits);
      for (let look = 0; look < 3 && action.kind === 'mark'; look++) {
        applyToModel(model, action);
        action = planProcess(model.world, limits);
      }
      expect(action).toMatchObject({ kind: 'begin', change: { backoffStep: 0 } });
    }
  });

  test.each([
    [3, 'crashed'],
    [78, 'misconfigured'],
  ] as const)('ends with a lease that was extended just before the end with code %i', (code, reason) => {
    const model = modelOf(pendingWorld());
    applyToModel(model, planProcess(model.world, limits));
    patch(model, { status: { ...model.world.status, backoffStep: 7 } });
    die(model, null);
    const exit = { code, signal: null, reason, message: 'boom' };
    const expiresAt = model.world.now + 9_000_000;
    patch(model, {
      process: { kind: 'gone', leftovers: 0, exit, rebooted: false },
      instance: { ...model.world.instance, generation: 2, expiresAt },
    });
    applyToModel(model, planProcess(model.world, limits));
    expect(model.world.status).toMatchObject({ phase: 'Backoff', observedGeneration: 2 });
    expect(planProcess(model.world, limits)).toMatchObject({ kind: 'begin', change: { backoffStep: 0 } });
  });

  test('of an older generation is never waited for, and nothing of it is left, whatever was going on', () => {
    fc.assert(
      fc.property(anyWorld, world => {
        fc.pre(world.status.phase !== 'Deleting');
        const { generation, processGeneration } = world.instance;
        const instance = {
          ...world.instance,
          generation: generation + 3,
          processGeneration: processGeneration + 3,
          running: true,
          deleting: false,
          expired: false,
          expiresAt: null,
          typeIsNew: false,
        };
        const model = modelOf({ ...world, instance, nodeOpen: true });
        for (let step = 0; step < 60; step++) {
          const action = planProcess(model.world, limits);
          if (action.kind === 'begin') {
            expect(action.change.backoffStep).toBe(0);
            return;
          }
          if (action.kind === 'wait') {
            // What stands in its way goes out of it.
            const { attempt, process, key, program, placement } = model.world;
            if (process?.kind === 'pending') die(model, null);
            else if (key.state === 'missing') patch(model, { key: { state: 'unneeded', version: null, message: '' } });
            else if (program.state !== 'ready')
              patch(model, { program: { state: 'ready', message: '', installation } });
            else if (placement === null || placement.conflicted)
              patch(model, { placement: { port: 3001, conflicted: false } });
            else throw new Error(`waits ${action.againMs} ms in ${model.world.status.phase}, attempt ${!!attempt}`);
            continue;
          }
          if (action.kind === 'terminate')
            die(model, { code: 1, signal: null, reason: null, message: 'ended when it was asked to' });
          else applyToModel(model, action);
        }
        throw new Error(`did not begin; it is ${model.world.status.phase}`);
      }),
      { numRuns: 5000 },
    );
  });
});
