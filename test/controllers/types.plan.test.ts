import { expect, test } from 'vitest';
import { planProcess } from '../../controllers/process.plan.ts';
import type { World } from '../../controllers/process-world.ts';
import { applyToModel, limits, modelOf, patch, pendingWorld } from '../sim/world.ts';
import type { Model } from '../sim/world.ts';

/** Ready, made of version 1 of its type. */
function readyModel(): Model {
  const world = pendingWorld();
  const model = modelOf({ ...world, instance: { ...world.instance, typeVersion: 1 } });
  applyToModel(model, planProcess(model.world, limits));
  patch(model, { health: { ready: true, message: '', changedAt: model.world.now } });
  applyToModel(model, planProcess(model.world, limits));
  expect([model.world.status.phase, model.world.attempt?.typeVersion]).toEqual(['Ready', 1]);
  return model;
}

function withType(model: Model, typeVersion: number | null, program: World['program']): void {
  patch(model, { instance: { ...model.world.instance, typeVersion }, program });
}

test('the version that runs goes on until the new one is there', () => {
  const model = readyModel();
  withType(model, 2, { state: 'checking', message: '' });
  expect(planProcess(model.world, limits).kind).toBe('wait');
  for (const program of [
    { state: 'installing' as const, message: 'Installing a@2.0.0' },
    { state: 'misconfigured' as const, message: 'a@2.0.0 could not be installed', notInstalled: true },
  ]) {
    withType(model, 2, program);
    const told = planProcess(model.world, limits);
    expect(told).toMatchObject({ kind: 'mark', change: { to: 'Ready', event: null } });
    applyToModel(model, told);
    expect(model.world.status.conditions).toMatchObject([
      { type: 'Ready', status: 'True' },
      { type: 'Installing', status: 'True', message: expect.stringContaining(program.message) },
    ]);
    // Said once.
    expect(planProcess(model.world, limits).kind).toBe('wait');
  }
  withType(model, 2, { state: 'ready', message: '' });
  expect(planProcess(model.world, limits)).toMatchObject({ kind: 'stop', stopReason: 'type-changed' });
});

test('while it waits for the new version, all else holds', () => {
  const model = readyModel();
  withType(model, 2, { state: 'installing', message: 'Installing a@2.0.0' });
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
  const program = { state: 'misconfigured' as const, message: 'no' };
  withType(model, null, program);
  expect(planProcess(model.world, limits).kind).toBe('wait');
  withType(model, 2, program);
  expect(planProcess(model.world, limits)).toMatchObject({ kind: 'stop', stopReason: 'type-changed' });
});
