import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { crashpoints } from '../../controllers/crashpoint.ts';
import type { Crashpoint } from '../../controllers/crashpoint.ts';
import { markedProcesses } from '../../controllers/runtime/process-table.ts';
import { createInstallation } from '../support/installation.ts';
import type { ControllersSettings, Installation } from '../support/installation.ts';
import { echoSpec } from '../support/specs.ts';
import { until } from '../support/until.ts';

/**
 * kill -9 of the controllers at every named point, twice, with real processes. What must hold is seen by an
 * observer that is not the product: never two live hosts of an instance, none lost, no orphan; everything
 * converges; every change of phase has exactly one event.
 */
let it: Installation;

// A frozen host is asked to end and has to be killed: soon, for the test's sake.
const settings: ControllersSettings = { limits: { stopGraceMs: 300 }, resyncMs: 2_000 };

beforeAll(async () => {
  it = await createInstallation();
  await it.startApi();
});
afterEach(() => it.stopControllers());
afterAll(() => it.close());

interface Scenario {
  /** Runs with controllers that will not crash, and settles. */
  before?(name: string): Promise<void>;
  /** What leads through the point. */
  act(name: string): Promise<void>;
  /** How it has to end. */
  end: 'Ready' | 'Stopped' | 'gone';
}

const declare = async (name: string): Promise<void> => {
  const reply = await it.api('POST', '/mcps', { metadata: { name }, spec: echoSpec() });
  expect(reply.status).toBe(201);
};
const declareAndWait = async (name: string): Promise<void> => {
  await declare(name);
  await it.phase(name, 'Ready');
};
const stop = (name: string): Promise<unknown> => it.api('PATCH', `/mcps/${name}`, { spec: { running: false } });
const pidOf = async (name: string): Promise<number> => (await it.get(name)).status.pid!;

const scenarios: Record<string, Scenario> = {
  begin: { act: declare, end: 'Ready' },
  start: { act: declare, end: 'Ready' },
  phase: { act: declare, end: 'Ready' },
  adopt: { before: declareAndWait, act: async () => {}, end: 'Ready' },
  renew: {
    before: declareAndWait,
    act: async name => {
      await it.api('POST', `/mcps/${name}/extend`, { ttl: '2h' });
    },
    end: 'Ready',
  },
  stop: {
    before: declareAndWait,
    act: async name => {
      await stop(name);
    },
    end: 'Stopped',
  },
  kill: {
    before: declareAndWait,
    act: async name => {
      process.kill(await pidOf(name), 'SIGSTOP');
      await stop(name);
    },
    end: 'Stopped',
  },
  end: {
    before: declareAndWait,
    act: async name => {
      process.kill(await pidOf(name), 'SIGKILL');
    },
    end: 'Ready',
  },
  delete: {
    before: declareAndWait,
    act: async name => {
      await it.api('DELETE', `/mcps/${name}`);
    },
    end: 'gone',
  },
};

async function died(child: ChildProcess): Promise<void> {
  await until('the controllers die at the crash point', () => child.signalCode === 'SIGKILL');
}

async function endQuietly(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM');
  await until('the controllers end', () => child.exitCode !== null || child.signalCode !== null);
}

describe('kill -9 of the controllers', () => {
  test.each(crashpoints)('at %s, twice', async (point: Crashpoint) => {
    const scenario = scenarios[point.slice(0, point.indexOf(':'))]!;
    const witness = join(it.dataDir, `${point.replace(':', '-')}.witness`);
    const armed = { ...settings, env: { MINIMCP_TEST_CRASHPOINT: point, MINIMCP_TEST_CRASHPOINT_FILE: witness } };
    const names = [1, 2].map(round => `${point.replace(':', '-')}-${round}`);

    for (const name of names) {
      if (scenario.before !== undefined) {
        const calm = await it.startControllers(settings);
        await scenario.before(name);
        await endQuietly(calm);
      }
      const doomed = await it.startControllers(armed);
      await scenario.act(name);
      await died(doomed);
    }
    expect(readFileSync(witness, 'utf8').trim().split('\n')).toEqual([point, point]);

    const calm = await it.startControllers(settings);
    for (const name of names) {
      if (scenario.end === 'gone') {
        await until('it is gone', async () => (await it.api('GET', `/mcps/${name}`)).status === 404);
      } else {
        // The phase may still be that of before the last death; the pid says whether it is of now.
        await until(`${name} ${scenario.end}`, async () => {
          const { status } = await it.get(name);
          const live = (await it.observer.look()).live[name] ?? [];
          return status.phase === scenario.end && (scenario.end === 'Stopped' || live.includes(status.pid ?? -1));
        });
      }
    }
    const seen = await it.observer.look();
    for (const name of names) {
      expect(seen.most[name] ?? 0, `most hosts of ${name} at once`).toBeLessThanOrEqual(1);
      expect(seen.live[name]?.length ?? 0, `hosts of ${name}`).toBe(scenario.end === 'Ready' ? 1 : 0);
      if (scenario.end === 'Ready') expect(seen.live[name]).toEqual([await pidOf(name)]);
      // Adopted, not started anew: only what was killed on purpose, or died without an assignment, has a successor.
      if (scenario === scenarios['adopt'] || scenario === scenarios['renew']) expect(seen.total[name]).toBe(1);
      await expectGaplessHistory(name);
      await expectNoOrphan(name);
    }
    for (const name of names) await it.api('DELETE', `/mcps/${name}`);
    await until('everything is gone', async () => Object.keys((await it.observer.look()).live).length === 0);
    await endQuietly(calm);
  });
});

/** Of every attempt but the open one no process is left, children included. */
async function expectNoOrphan(name: string): Promise<void> {
  const { rows } = await it.database.pool.query<{ id: string; open: boolean }>(
    'select id, ended_at is null as open from attempts where instance_name = $1',
    [name],
  );
  const closed = new Set(rows.filter(row => !row.open).map(row => row.id));
  expect(markedProcesses().filter(process => closed.has(process.attempt))).toEqual([]);
}

/** The events' phases form one chain that ends in the phase of now. */
async function expectGaplessHistory(name: string): Promise<void> {
  const { rows } = await it.database.pool.query<{ from_phase: string | null; to_phase: string | null; reason: string }>(
    `select from_phase, to_phase, reason from events where instance_name = $1 and (from_phase is not null or to_phase is not null)
     order by id`,
    [name],
  );
  let phase: string | null = null;
  for (const row of rows) {
    expect(row.from_phase, `${name}: ${JSON.stringify(rows)}`).toBe(phase);
    phase = row.to_phase;
  }
  const { rows: now } = await it.database.pool.query<{ phase: string }>(
    'select s.phase from statuses s join instances i on i.uid = s.instance_uid where i.name = $1',
    [name],
  );
  expect(phase).toBe(now[0]?.phase ?? null);
}
