import type { HostLease } from '../../specs/assignment.ts';

/** setTimeout's longest; a longer wait is several of them. */
const longestTimerMs = 2 ** 31 - 1;

export interface Lease {
  /** The terms that hold now. */
  readonly terms: HostLease;
  readonly over: boolean;
  /** New terms: an extension, a shortening or a rotated token. Without effect once it is over. */
  renew(terms: HostLease): void;
  stop(): void;
}

/**
 * Counts a lease down on the monotonic clock: remainingMs from the moment the terms name, or from now, whatever the wall clock does.
 * Calls onOver once, when no time remains.
 */
export function startLease(initial: HostLease, onOver: () => void): Lease {
  let terms = initial;
  let over = false;
  let timer: NodeJS.Timeout | undefined;

  const arm = (endsAtMs: number) => {
    const leftMs = Math.max(0, Math.ceil(endsAtMs - performance.now()));
    timer = setTimeout(
      () => {
        if (performance.now() < endsAtMs) return arm(endsAtMs);
        over = true;
        onOver();
      },
      Math.min(leftMs, longestTimerMs),
    );
  };
  const start = () => {
    clearTimeout(timer);
    if (terms.remainingMs !== null) arm(performance.now() + terms.remainingMs - elapsedMs(terms));
  };
  start();

  return {
    get terms() {
      return terms;
    },
    get over() {
      return over;
    },
    renew(next) {
      if (over) return;
      terms = next;
      start();
    },
    stop: () => clearTimeout(timer),
  };
}

/** What has passed since remainingMs was true. Every process of a machine reads the same monotonic clock. */
function elapsedMs({ monotonicMs }: HostLease): number {
  if (monotonicMs === undefined) return 0;
  return Math.max(0, Number(process.hrtime.bigint()) / 1e6 - monotonicMs);
}
