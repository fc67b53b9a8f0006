import { errorMessage } from '../errors.ts';
import type { Logger } from '../logger.ts';

/** A place in a history: a version (a transaction's id), and within it the last row that is known; null = all. */
export interface Position {
  readonly version: number;
  readonly tie: string | number | null;
}

/** A history that is read in the order of versions. */
export interface Source<Row> {
  /** `complete`: everything up to this version has been committed; `pending`: something above it is, already. */
  readComplete(): Promise<{ complete: number; pending: boolean }>;
  readRows(after: Position, upTo: number, limit: number): Promise<Row[]>;
  positionOf(row: Row): Position;
}

/**
 * What rows are to the reader: with a number, all there is up to that version; `more`, the beginning of that,
 * perhaps of the last row's version too; `beside`, rows that changed without a new version.
 */
export type Extent = number | 'more' | 'beside';
export type Deliver<Row> = (rows: readonly Row[], extent: Extent) => void;

/** What happens from now on, read once for everybody in this process who follows it. */
export interface Feed<Row> {
  readonly source: Source<Row>;
  /**
   * Delivers what comes after `version`; answers how to leave. Null when the feed is further already: then
   * read on from the source and ask again.
   */
  join(version: number, deliver: Deliver<Row>, onReset: () => void): (() => void) | null;
  /** Something may have happened. */
  ring(): void;
  /** Delivers rows that changed without a new version. */
  announce(rows: readonly Row[]): void;
  hasFollowers(): boolean;
  close(): void;
}

const lookAfterMs = 10;
const slowestLookMs = 500;
const pollMs = 2_000;
/** More than this at once is read page by page by each follower, at its own pace. */
const largestBatch = 2_000;

export function createFeed<Row>(source: Source<Row>, log: Logger): Feed<Row> {
  const followers = new Map<Deliver<Row>, () => void>();
  let position = 0;
  let timer: NodeJS.Timeout | undefined;
  let dueAt = Infinity;
  let isLooking = false;
  let isRung = false;
  let pendingMs = lookAfterMs;
  let hasFailed = false;
  let isClosed = false;

  /** The earlier of two appointments holds. */
  function lookIn(ms: number): void {
    if (isClosed || followers.size === 0) return;
    const at = performance.now() + ms;
    if (timer !== undefined && dueAt <= at) return;
    clearTimeout(timer);
    dueAt = at;
    timer = setTimeout(() => void look(), ms);
  }

  async function look(): Promise<void> {
    timer = undefined;
    if (isLooking) {
      isRung = true;
      return;
    }
    isLooking = true;
    isRung = false;
    try {
      const { complete, pending } = await source.readComplete();
      await advance(complete);
      // A transaction that is older than what was committed meanwhile: usually it ends within milliseconds.
      pendingMs = pending ? Math.min(pendingMs * 2, slowestLookMs) : lookAfterMs;
      hasFailed = false;
      isLooking = false;
      lookIn(isRung ? lookAfterMs : pending ? pendingMs : pollMs);
    } catch (error) {
      if (!hasFailed) log.warn(`streams wait for the database: ${errorMessage(error)}`);
      hasFailed = true;
      isLooking = false;
      lookIn(pollMs);
    }
  }

  async function advance(complete: number): Promise<void> {
    // The database was replaced by an older copy of itself: what was told is not what is.
    if (complete < position) return reset();
    if (complete === position) return undefined;
    const rows = await source.readRows({ version: position, tie: null }, complete, largestBatch + 1);
    if (rows.length > largestBatch) return reset();
    position = complete;
    for (const deliver of followers.keys()) deliver(rows, complete);
    return undefined;
  }

  /** Sends every follower back to the source. */
  function reset(): void {
    const all = [...followers.values()];
    followers.clear();
    for (const onReset of all) onReset();
  }

  return {
    source,
    join(version, deliver, onReset) {
      if (followers.size === 0) position = version;
      else if (position > version) return null;
      followers.set(deliver, onReset);
      lookIn(lookAfterMs);
      return () => followers.delete(deliver);
    },
    ring() {
      lookIn(lookAfterMs);
      if (isLooking) isRung = true;
    },
    announce(rows) {
      if (rows.length > 0) for (const deliver of followers.keys()) deliver(rows, 'beside');
    },
    hasFollowers: () => followers.size > 0,
    close() {
      isClosed = true;
      clearTimeout(timer);
      reset();
    },
  };
}
