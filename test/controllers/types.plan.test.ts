import fc from 'fast-check';
import { expect, test } from 'vitest';
import { planProcess } from '../../controllers/process.plan.ts';
import type { World } from '../../controllers/process-world.ts';
import { anyWorld } from '../sim/arbitrary.ts';
import { applyToModel, limits, modelOf, patch, pendingWorld } from '../sim/world.ts';
import type { Model } from '../sim/world.ts';

/** Ready, made of the first program of its type. */
function readyModel(): Model {
  const world = pendingWorld();
  const model = modelOf({ ...world, instance: { ...world.instance, typeProgram: 'one' } });
  applyToModel(model, planProcess(model.world, limits));
  patch(model, { health: { ready: true, message: '', changedAt: model.world.now } });
  applyToModel(model, planProcess(model.world, limits));
  expect([model.world.status.phase, model.world.attempt?.typeProgram]).toEqual(['Ready', 'one']);
  return model;
}

function withType(model: Model, typeProgram: string | null, program: World['program']): void {
  patch(model, { instance: { ...model.world.instance, typeProgram }, program });
}

const installing = { state: 'installing', message: 'Installing a@2.0.0' } as const;
const failed = { state: 'misconfigured', message: 'a@2.0.0 could not be installed: 404', notInstalled: true } as const;
const installation = { package: 'a', version: '2.0.0', integrity: null, packages: 1, bytes: 1, ms: 1 };

test('the version that runs goes on until the new one is there, and each step is said once', () => {
  const model = readyModel();
  const pid = model.world.process;
  withType(model, 'two', { state: 'checking', message: '' });
  expect(planProcess(model.world, limits).kind).toBe('wait');
  const steps = [
    [installing, 'Installing', 'TypeChanged'],
    [failed, 'Misconfigured', 'NotInstalled'],
    [{ state: 'misconfigured', message: 'a@2.0.0 has no program that could be run' }, 'Misconfigured', 'Misconfigured'],
    [failed, 'Misconfigured', 'NotInstalled'],
  ] as const;
  for (const [program, type, reason] of steps) {
    withType(model, 'two', program);
    const told = planProcess(model.world, limits);
    expect(told).toMatchObject({ kind: 'mark', change: { to: 'Ready', event: null, also: { reason: type } } });
    applyToModel(model, told);
    expect(model.world.status.conditions).toMatchObject([
      { type: 'Ready', status: 'True' },
      { type, status: 'True', reason, message: expect.stringContaining(program.message) },
    ]);
    expect(planProcess(model.world, limits).kind).toBe('wait');
  }
  withType(model, 'two', { state: 'ready', message: '', installation });
  applyToModel(model, planProcess(model.world, limits));
  expect(model.told).toEqual(['Installing', 'Misconfigured', 'Misconfigured', 'Misconfigured', 'Installed']);
  expect(model.world.process).toBe(pid);
  expect(planProcess(model.world, limits)).toMatchObject({ kind: 'stop', stopReason: 'type-changed' });
});

test('a new version that was there already is not told, and neither is that of another package', () => {
  const model = readyModel();
  withType(model, 'two', { state: 'ready', message: '', installation });
  expect(planProcess(model.world, limits).kind).toBe('stop');
  withType(model, 'two', installing);
  applyToModel(model, planProcess(model.world, limits));
  const other = { ...installation, version: '3.0.0' };
  withType(model, 'three', { state: 'ready', message: '', installation: other });
  expect(planProcess(model.world, limits).kind).toBe('stop');
});

test('a type that is put back leaves nothing to wait for, and nothing said of it', () => {
  for (const program of [installing, failed]) {
    const model = readyModel();
    withType(model, 'two', program);
    applyToModel(model, planProcess(model.world, limits));
    withType(model, 'one', { state: 'ready', message: '' });
    applyToModel(model, planProcess(model.world, limits));
    expect(model.world.status.conditions).toMatchObject([{ type: 'Ready', status: 'True' }]);
    expect(planProcess(model.world, limits).kind).toBe('wait');
    expect([model.started, model.told]).toEqual([1, [program === installing ? 'Installing' : 'Misconfigured']]);
  }
});

test('what is waited for outlives a moment without an answer and a new lease, and is not told again', () => {
  const model = readyModel();
  withType(model, 'two', installing);
  applyToModel(model, planProcess(model.world, limits));
  for (const isReady of [false, true]) {
    patch(model, { health: { ready: isReady, message: 'no answer', changedAt: model.world.now } });
    applyToModel(model, planProcess(model.world, limits));
    expect(model.world.status.phase).toBe(isReady ? 'Ready' : 'Unhealthy');
  }
  patch(model, { instance: { ...model.world.instance, generation: 2 } });
  applyToModel(model, planProcess(model.world, limits));
  expect(planProcess(model.world, limits).kind).toBe('wait');
  expect(model.told).toEqual(['Installing']);
  expect(model.world.status.conditions.map(({ type }) => type)).toEqual(['Ready', 'Installing']);
});

test('what failed before is not forgotten because its type waits for something', () => {
  const model = readyModel();
  patch(model, { status: { ...model.world.status, backoffStep: 5 } });
  withType(model, 'two', installing);
  applyToModel(model, planProcess(model.world, limits));
  expect(model.world.status.backoffStep).toBe(5);
  // With a new generation it is.
  withType(model, 'two', { state: 'ready', message: '', installation });
  patch(model, { instance: { ...model.world.instance, generation: 2 } });
  applyToModel(model, planProcess(model.world, limits));
  expect([model.told.at(-1), model.world.status.backoffStep]).toEqual(['Installed', 0]);
});

test('no new program of a type that cannot be run takes away the one that serves', () => {
  fc.assert(
    fc.property(anyWorld, fc.boolean(), ({ program }, notInstalled) => {
      fc.pre(program.state !== 'ready' && program.misfit !== true);
      const model = readyModel();
      withType(model, 'two', program.state === 'misconfigured' ? { ...program, notInstalled } : program);
      for (let look = 0; look < 5; look++) applyToModel(model, planProcess(model.world, limits));
      expect([model.world.status.phase, model.started, model.hosts]).toEqual(['Ready', 1, 1]);
    }),
  );
});

test('a change that is taken back before its program is there is as if it had not been', () => {
  const model = readyModel();
  withType(model, 'two', { state: 'misconfigured', message: 'a@9.0.0 could not be installed', notInstalled: true });
  applyToModel(model, planProcess(model.world, limits));
  expect(model.world.status.conditions).toHaveLength(2);
  withType(model, 'one', { state: 'ready', message: '' });
  const action = planProcess(model.world, limits);
  expect(action).toMatchObject({ kind: 'mark', change: { to: 'Ready', event: null } });
  applyToModel(model, action);
  expect(model.world.status.conditions).toMatchObject([{ type: 'Ready', status: 'True' }]);
  expect(planProcess(model.world, limits).kind).toBe('wait');
});

test('while it waits for the new version, all else holds', () => {
  const model = readyModel();
  withType(model, 'two', { state: 'installing', message: 'Installing a@2.0.0' });
  const { instance } = model.world;
  patch(model, { instance: { ...instance, running: false } });
  expect(planProcess(model.world, limits)).toMatchObject({ kind: 'stop', stopReason: 'stopped' });
  patch(model, { instance: { ...instance, processGeneration: 2 } });
  expect(planProcess(model.world, limits)).toMatchObject({ kind: 'stop', stopReason: 'spec-changed' });
  patch(model, { instance, placement: { port: 3002, conflicted: false } });
  expect(planProcess(model.world, limits)).toMatchObject({ kind: 'stop', stopReason: 'moved' });
});

test('a type that is gone, or a config that does not fit: the one leaves what runs alone, the other does not', () => {
  const model = readyModel();
  const program = { state: 'misconfigured' as const, message: 'no', misfit: true };
  withType(model, null, program);
  expect(planProcess(model.world, limits).kind).toBe('wait');
  withType(model, 'two', program);
  expect(planProcess(model.world, limits)).toMatchObject({ kind: 'stop', stopReason: 'type-changed' });
});
