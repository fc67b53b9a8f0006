import { errorMessage } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { EventStream } from './event-stream.ts';
import type { Extent, Feed, Position, Source } from './feed.ts';

const pageRows = 500;
const retryMs = 1_000;

export interface Follower<Row> {
  readonly start: Position;
  /** Where history is read from: the feed's own, or a part of it. */
  readonly source: Source<Row>;
  write(rows: readonly Row[], extent: Extent): void;
  /** A client that reads nothing for so long is let go. */
  readonly drainMs: number;
  /** Once, when the client has been told everything that was there. */
  caughtUp(complete: number): Promise<void>;
}

/**
 * Tells a stream the history from `start`, then what happens. A client that falls behind leaves the feed and
 * reads the history at its own pace until it has caught up; one that does not read at all is let go.
 */
export async function follow<Row>(
  feed: Feed<Row>,
  stream: EventStream,
  log: Logger,
  follower: Follower<Row>,
): Promise<void> {
  const { source } = follower;
  let position = follower.start;
  let isNew = true;
  while (stream.isOpen) {
    try {
      const { complete } = await source.readComplete();
      // An older copy of the database: the client has to begin anew, and is told so when it comes back.
      if (complete < position.version) return stream.end();
      for (let isLast = false; !isLast;) {
        if (!(await stream.drained(follower.drainMs))) return stream.drop();
        const rows = await source.readRows(position, complete, pageRows);
        isLast = rows.length < pageRows;
        position = isLast ? { version: complete, tie: null } : source.positionOf(rows.at(-1)!);
        follower.write(rows, isLast ? complete : 'more');
      }
      if (isNew) await follower.caughtUp(complete);
      isNew = false;
    } catch (error) {
      log.debug(`a stream waits for the database: ${errorMessage(error)}`);
      await new Promise(resolve => setTimeout(resolve, retryMs));
      continue;
    }
    await live();
  }
  return undefined;

  /** Until the client falls behind, the feed is reset, or the stream closes. */
  async function live(): Promise<void> {
    await new Promise<void>(resolve => {
      const leave = feed.join(position.version, deliver, done);
      const forget = stream.onClose(done);
      if (leave === null || !stream.isOpen) done();

      function deliver(rows: readonly Row[], extent: Extent): void {
        if (typeof extent === 'number') {
          // What the catching-up has told already does not come again.
          const fresh = rows.filter(row => source.positionOf(row).version > position.version);
          position = { version: Math.max(position.version, extent), tie: null };
          follower.write(fresh, position.version);
        } else {
          follower.write(rows, extent);
        }
        if (stream.isFull) done();
      }
      function done(): void {
        leave?.();
        forget();
        resolve();
      }
    });
  }
}
