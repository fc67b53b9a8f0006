import fc from 'fast-check';
import { expect, test } from 'vitest';
import { planHealth } from '../../controllers/health.plan.ts';
import type { HealthState, Probe } from '../../controllers/health.plan.ts';

const timing = { calmMs: 12_000, suspiciousMs: 500, failures: 3 };
const good: Probe = { ok: true };
const bad: Probe = { ok: false, message: 'no answer' };
const probes = fc.array(fc.constantFrom(good, bad), { maxLength: 30 });

function follow(seen: readonly Probe[]): { state: HealthState; records: boolean[] } {
  let state: HealthState = { ready: null, failuresInARow: 0 };
  const records: boolean[] = [];
  for (const probe of seen) {
    const verdict = planHealth(state, probe, timing);
    if (verdict.record !== null && verdict.record.ready !== state.ready) records.push(verdict.record.ready);
    state = { ready: verdict.record?.ready ?? state.ready, failuresInARow: verdict.failuresInARow };
  }
  return { state, records };
}

test('a healthy world plans no write', () => {
  fc.assert(
    fc.property(probes, seen => {
      const { state } = follow([...seen, good]);
      expect(state).toEqual({ ready: true, failuresInARow: 0 });
      expect(planHealth(state, good, timing)).toEqual({ record: null, failuresInARow: 0, nextMs: timing.calmMs });
    }),
  );
});

test('a ready instance becomes unhealthy exactly with its third failure in a row', () => {
  fc.assert(
    fc.property(probes, seen => {
      const { records } = follow([good, ...seen]);
      let failures = 0;
      const expected = [true];
      for (const probe of seen) {
        failures = probe.ok ? 0 : failures + 1;
        const last = expected.at(-1);
        if (probe.ok && last === false) expected.push(true);
        if (failures === timing.failures && last === true) expected.push(false);
      }
      expect(records).toEqual(expected);
    }),
    { numRuns: 2000 },
  );
});

test('one that never was ready is told its reason at once, and is looked at often', () => {
  const verdict = planHealth({ ready: null, failuresInARow: 0 }, bad, timing);
  expect(verdict).toEqual({
    record: { ready: false, message: 'no answer' },
    failuresInARow: 1,
    nextMs: timing.suspiciousMs,
  });
});
