import { readInstance, readInstances, readInstancesOfType, readKeyUsers } from '../src/db/world.ts';
import type { InstanceRow } from '../src/db/world.ts';
import { isOutage } from '../src/db/outage.ts';
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
import type { Program, ProgramOptions } from './program.ts';
import type { ProcessState } from './runtime/runtime.ts';

export const processLimits: Limits = {
  startTimeoutMs: 60_000,
  unhealthyMs: 10_000,
  stableMs: 600_000,
  stopGraceMs: 8_000,
  expiryGraceMs: 400,
  sickGraceMs: 2_000,
  acceptMs: 5_000,
  askAgainMs: 2_000,
  killAgainMs: 50,
  killAgainMostMs: 5_000,
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
  /** The database was away: what was not seen meanwhile is nobody's fault. */
  onReconnect(): void;
  /** Stops every process of this node without changing what is desired; resolves when all are gone. */
  shutdown(timeoutMs: number): Promise<boolean>;
}

const noProgram: Program = { state: 'ready', message: '', command: null };

// The pool bounds the statements and the runtime the starts. A pass that waits for its turn to start must not
// keep another instance from being stopped on time.
const concurrency = 1_000;
const sweepMs = 1_000;
const endAllGraceMs = 3_000;

/** Makes the processes of this node agree with what is desired. It alone starts and stops, and alone writes the phase. */
export function createProcessController(options: ProcessOptions): ProcessController {
  const { pool, node, runtime, log } = options;
  let nodeOpen = true;

  function look(row: InstanceRow, process: ProcessState | null): { world: World; action: Action } {
    const program = needsProgram(row) ? resolveProgram(row, options.programs) : noProgram;
    const world = worldOf(row, { node, process, program, nodeOpen, jitter: Math.random() });
    return { world, action: planProcess(world, options.limits) };
  }

  /** No package is installed for what is not to run, or not here. */
  function needsProgram(row: InstanceRow): boolean {
    if (!nodeOpen || !row.running || row.expired || row.deleting) return false;
    return row.attempt !== null || (row.placement_node === node && row.held_generation !== row.process_generation);
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
      const users =
        kind === 'api-key' ? readKeyUsers(pool, key) : kind === 'type' ? readInstancesOfType(pool, key) : null;
      users?.then(
        uids => uids.forEach(loop.wake),
        // The next resync sees it too.
        (error: unknown) => log.debug({ err: error, kind }, 'the users could not be read'),
      );
    },
    onReconnect() {
      runtime.lookAnew();
    },
    async shutdown(timeoutMs) {
      nodeOpen = false;
      const deadline = performance.now() + timeoutMs;
      for (;;) {
        loop.rescan();
        if ((await liveProcesses()) === 0) return true;
        // Ended all the same: that everything ends here was said, and needs no database.
        if (performance.now() > deadline) return runtime.endAll(endAllGraceMs);
        await new Promise(resolve => setTimeout(resolve, 50));
      }
    },
  };

  /** How many are not closed yet; as good as one while the database is away. */
  async function liveProcesses(): Promise<number> {
    try {
      const rows = await readInstances(pool, node);
      return rows.filter(row => row.attempt !== null).length;
    } catch (error) {
      if (isOutage(error)) return 1;
      throw error;
    }
  }
}
