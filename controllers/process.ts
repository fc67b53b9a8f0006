import { readInstance, readInstances, readKeyUsers } from '../src/db/world.ts';
import type { InstanceRow } from '../src/db/world.ts';
import type { Logger } from '../src/logger.ts';
import type { RingKind } from '../src/db/listener.ts';
import { createLoop } from './loop.ts';
import type { Loop } from './loop.ts';
import { applyAction } from './process-apply.ts';
import type { Effects } from './process-effects.ts';
import { planProcess } from './process.plan.ts';
import { attemptRef, worldOf } from './process-read.ts';
import type { Action, Limits, World } from './process-world.ts';
import { resolveProgram } from './program.ts';
import type { ProgramOptions } from './program.ts';
import type { ProcessState } from './runtime/runtime.ts';

export const processLimits: Limits = {
  startTimeoutMs: 60_000,
  unhealthyMs: 10_000,
  stableMs: 600_000,
  stopGraceMs: 8_000,
  expiryGraceMs: 400,
  sickGraceMs: 2_000,
  acceptMs: 5_000,
  killAgainMs: 50,
  misconfiguredMs: 60_000,
};

export interface ProcessOptions extends Effects {
  readonly programs: ProgramOptions;
  readonly resyncMs: number;
  readonly log: Logger;
}

export interface ProcessController {
  readonly loops: readonly Loop[];
  onRing(kind: RingKind, key: string): void;
  /** Stops every process of this node without changing what is desired; resolves when all are gone. */
  shutdown(timeoutMs: number): Promise<boolean>;
}

// Reads, records and stops overlap freely; the runtime bounds the starts.
const concurrency = 16;
const sweepMs = 1_000;

/** Makes the processes of this node agree with what is desired. It alone starts and stops, and alone writes the phase. */
export function createProcessController(options: ProcessOptions): ProcessController {
  const { pool, node, runtime, log } = options;
  let nodeOpen = true;

  function look(row: InstanceRow, process: ProcessState | null): { world: World; action: Action } {
    const program = resolveProgram(row, options.programs);
    const world = worldOf(row, { process, program, nodeOpen, jitter: Math.random() });
    return { world, action: planProcess(world, options.limits) };
  }

  const loop = createLoop({
    name: 'process',
    concurrency,
    resyncMs: options.resyncMs,
    log,
    async reconcile(uid) {
      const row = await readInstance(pool, node, uid);
      if (row === null) return null;
      const ref = attemptRef(row);
      const { world, action } = look(row, ref === null ? null : runtime.observe(ref));
      if (action.kind !== 'wait') loop.acted(`${action.kind} ${row.name}`);
      return applyAction(action, row, world, options);
    },
    async scan() {
      const rows = await readInstances(pool, node);
      const processes = runtime.observeAll(rows.flatMap(row => attemptRef(row) ?? []));
      const due: string[] = [];
      for (const row of rows) {
        const { action } = look(row, row.attempt === null ? null : (processes.get(row.attempt.id) ?? null));
        if (action.kind !== 'wait' || action.againMs !== null) due.push(row.uid);
      }
      return due;
    },
  });

  // A host that is not our child tells nobody that it ended.
  const exits = createLoop({
    name: 'process-exits',
    concurrency: 1,
    resyncMs: 60_000,
    log,
    scan: async () => ['all'],
    reconcile: async () => {
      runtime.sweep();
      return sweepMs;
    },
  });

  return {
    loops: [loop, exits],
    onRing(kind, key) {
      if (kind === 'instance' || kind === 'placement' || kind === 'expiry' || kind === 'observation') loop.wake(key);
      if (kind !== 'api-key') return;
      readKeyUsers(pool, key).then(
        uids => uids.forEach(loop.wake),
        // The next resync sees it too.
        (error: unknown) => log.debug({ err: error }, 'the users of an api key could not be read'),
      );
    },
    async shutdown(timeoutMs) {
      nodeOpen = false;
      const deadline = performance.now() + timeoutMs;
      for (;;) {
        loop.rescan();
        const left = await liveProcesses();
        if (left === 0) return true;
        if (performance.now() > deadline) return false;
        await new Promise(resolve => setTimeout(resolve, 50));
      }
    },
  };

  async function liveProcesses(): Promise<number> {
    const rows = await readInstances(pool, node);
    return rows.filter(row => row.attempt !== null).length;
  }
}
