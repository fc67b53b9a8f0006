import PQueue from 'p-queue';
import type { ControllerStats } from '../specs/node.ts';
import type { Logger } from '../src/logger.ts';
import { isOutage } from '../src/db/outage.ts';
import { errorMessage } from '../src/errors.ts';

export interface LoopOptions {
  readonly name: string;
  /**
   * Rereads everything about the key, does at most one bounded step, and returns in how many
   * milliseconds to look again (null = only when woken). Throwing means: again later, backing off.
   */
  readonly reconcile: (key: string) => Promise<number | null>;
  /** Keys that may need a look: read from a complete list after each (re)connection and at each resync. */
  readonly scan: () => Promise<Iterable<string>>;
  readonly concurrency: number;
  readonly resyncMs: number;
  readonly log: Logger;
}

export interface Loop {
  readonly name: string;
  start(): void;
  /** Look at the key now; a key in flight is looked at again when it is done. */
  wake(key: string): void;
  /** Look at everything now. */
  rescan(): void;
  /** Note what a pass did, for GET /controllers. */
  acted(action: string): void;
  stats(): ControllerStats;
  /** Ends the timers and waits for what is in flight. Safe to call twice. */
  stop(): Promise<void>;
}

interface Entry {
  state: 'idle' | 'queued' | 'running';
  /** Woken while running. */
  dirty: boolean;
  failures: number;
  /** Passes in a row that wanted to look again at once. */
  spins: number;
  timer: NodeJS.Timeout | undefined;
}

const firstRetryMs = 100;
const lastRetryMs = 30_000;
const spinsAtOnce = 20;
const longestTimerMs = 2 ** 31 - 1;

/** The engine under every controller: the only place with timers, queues and retries. */
export function createLoop(options: LoopOptions): Loop {
  const { log } = options;
  const queue = new PQueue({ concurrency: options.concurrency });
  const entries = new Map<string, Entry>();
  const counts = { reconciles: 0, errors: 0 };
  let last: { reconcileAt: string | null; actionAt: string | null; action: string | null; error: string | null } = {
    reconcileAt: null,
    actionAt: null,
    action: null,
    error: null,
  };
  let resyncTimer: NodeJS.Timeout | undefined;
  let scanning: Promise<void> | undefined;
  let scanAgain = false;
  let scanFailures = 0;
  let running = false;

  function entryOf(key: string): Entry {
    let entry = entries.get(key);
    if (entry === undefined)
      entries.set(key, (entry = { state: 'idle', dirty: false, failures: 0, spins: 0, timer: undefined }));
    return entry;
  }

  function wake(key: string): void {
    if (!running) return;
    const entry = entryOf(key);
    if (entry.state === 'running') entry.dirty = true;
    if (entry.state !== 'idle') return;
    clearTimeout(entry.timer);
    entry.state = 'queued';
    void queue.add(() => run(key, entry));
  }

  async function run(key: string, entry: Entry): Promise<void> {
    if (!running) return;
    entry.state = 'running';
    entry.dirty = false;
    let againMs: number | null;
    try {
      counts.reconciles += 1;
      againMs = await options.reconcile(key);
      entry.failures = 0;
      entry.spins = againMs === 0 ? entry.spins + 1 : 0;
      // Steps follow each other at once, but no instance has this many to take.
      if (entry.spins > spinsAtOnce) againMs = Math.min(10 * (entry.spins - spinsAtOnce), 1_000);
    } catch (error) {
      counts.errors += 1;
      entry.failures += 1;
      againMs = retryMs(entry.failures);
      last.error = errorMessage(error);
      complain(error, { key, failures: entry.failures }, 'reconcile failed; it will be tried again');
    }
    last.reconcileAt = new Date().toISOString();
    entry.state = 'idle';
    if (!running) return;
    if (entry.dirty && entry.failures === 0 && entry.spins <= spinsAtOnce) wake(key);
    else if (againMs !== null)
      entry.timer = setTimeout(() => wake(key), Math.min(Math.max(againMs, 0), longestTimerMs));
    else entries.delete(key);
  }

  /** A database that is away is one fact, told by whoever listens to it; each key that meets it is noise. */
  function complain(error: unknown, fields: object, message: string): void {
    if (isOutage(error)) log.debug({ ...fields, reason: errorMessage(error) }, message);
    else log.warn({ ...fields, err: error }, message);
  }

  function rescan(): void {
    if (!running) return;
    scanAgain = true;
    scanning ??= scanUntilCurrent().finally(() => {
      scanning = undefined;
    });
  }

  async function scanUntilCurrent(): Promise<void> {
    while (scanAgain) {
      scanAgain = false;
      if (!running) return;
      clearTimeout(resyncTimer);
      let nextMs = jitter(options.resyncMs);
      try {
        for (const key of await options.scan()) wake(key);
        scanFailures = 0;
      } catch (error) {
        counts.errors += 1;
        last.error = errorMessage(error);
        complain(error, {}, 'rescan failed; it will be tried again');
        scanFailures += 1;
        nextMs = retryMs(scanFailures);
      }
      if (running) resyncTimer = setTimeout(rescan, nextMs);
    }
  }

  return {
    name: options.name,
    start() {
      if (running) return;
      running = true;
      rescan();
    },
    wake,
    rescan,
    acted(action) {
      last = { ...last, action, actionAt: new Date().toISOString() };
    },
    stats: () => ({
      ...counts,
      queued: queue.size,
      lastReconcileAt: last.reconcileAt,
      lastActionAt: last.actionAt,
      lastAction: last.action,
      lastError: last.error,
    }),
    async stop() {
      running = false;
      clearTimeout(resyncTimer);
      for (const entry of entries.values()) clearTimeout(entry.timer);
      await Promise.all([scanning, queue.onIdle()]);
      entries.clear();
    },
  };
}

function retryMs(failures: number): number {
  return jitter(Math.min(firstRetryMs * 2 ** (failures - 1), lastRetryMs));
}

/** ±25 %, so that many loops do not beat together. */
function jitter(ms: number): number {
  return ms * (0.75 + Math.random() / 2);
}
