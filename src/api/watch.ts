import type { FastifyReply, FastifyRequest } from 'fastify';
import { readChanges, readHistory } from '../db/changes.ts';
import type { ChangeRow } from '../db/changes.ts';
import { matchesFilter } from '../db/instance-page.ts';
import type { InstanceFilter } from '../db/instance-page.ts';
import { toInstance } from '../db/instance-view.ts';
import type { ApiContext } from './context.ts';
import type { Message } from './event-stream.ts';
import type { Extent } from './feed.ts';
import { follow } from './follow.ts';
import { ApiProblem } from './problem.ts';
import { openCallerStream } from './caller-stream.ts';

const everything = Number.MAX_SAFE_INTEGER;

/**
 * Streams instances: first all there are, or (with a version to resume from) what changed since, then every
 * change. A row carries an id only if everything up to that version was told with it.
 */
export async function streamInstances(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  filter: InstanceFilter,
  resourceVersion: string | undefined,
): Promise<FastifyReply> {
  const { pool, hub, log } = context;
  const from = await readStart(context, request.headers['last-event-id'] ?? resourceVersion);
  const teller = createTeller(filter, from ?? 0);
  let isCaughtUp = false;
  const stream = openCallerStream(context, request, reply, () => (isCaughtUp ? bookmark(teller.complete) : null));
  const told = follow(hub.instances, stream, log, {
    start: { version: from ?? 0, tie: null },
    source: hub.instances.source,
    drainMs: hub.timing.drainMs,
    write: (rows, extent) => stream.send(teller.tell(rows, extent)),
    async caughtUp(complete) {
      // Committed, but above a transaction that still runs: told now, and without an id.
      if (from === null)
        stream.send(
          teller.tellAhead(await readChanges(pool, { version: complete, uid: null }, everything, everything)),
        );
      stream.send([bookmark(complete)]);
      isCaughtUp = true;
    },
  });
  told.catch((error: unknown) => {
    log.error({ err: error }, 'a watch failed');
    stream.end();
  });
  return reply;
}

/** The version to resume from; null = begin with everything. Throws 400 and 410. */
async function readStart({ pool }: ApiContext, text: string | string[] | undefined): Promise<number | null> {
  // Checked before the stream begins, so that the answer can still be a problem.
  const { complete, next, horizon } = await readHistory(pool);
  if (text === undefined || text === '') return null;
  if (typeof text !== 'string' || !/^\d{1,15}$/.test(text)) {
    throw new ApiProblem('InvalidRequest', 'Last-Event-ID must be the id of an event of this stream');
  }
  const version = Number(text);
  if (version < horizon || version >= next) {
    throw new ApiProblem('HistoryGone', `changes since ${text} are not known any more; watch without Last-Event-ID`);
  }
  // An object's own version can be above what is complete.
  return Math.min(version, complete);
}

function bookmark(complete: number): Message {
  const id = String(complete);
  return { event: 'bookmark', id, data: { metadata: { resourceVersion: id } } };
}

interface Teller {
  /** Everything up to this version has been told. */
  readonly complete: number;
  tell(rows: readonly ChangeRow[], extent: Extent): Message[];
  tellAhead(rows: readonly ChangeRow[]): Message[];
}

/** Makes messages of changes for one client, who is told of an object only if it knows, or is to know, of it. */
export function createTeller(filter: InstanceFilter, from: number): Teller {
  const isFiltered =
    filter.type !== null || filter.phase !== null || filter.q !== null || Object.keys(filter.labels).length > 0;
  /** What the client has, by uid; without a filter only what was told ahead of its version. */
  const has = new Map<string, boolean>();
  const ahead = new Map<string, number>();
  let known = from;

  function knows(row: ChangeRow): boolean {
    // With a filter a client that resumes may have what existed then: rather told of an end twice than never.
    return has.get(row.instance_uid) ?? row.created_version <= (isFiltered ? from : known);
  }

  function toMessage(row: ChangeRow): Message | null {
    const knew = knows(row);
    const { instance } = row;
    const isWanted = instance !== null && matchesFilter(instance, filter);
    if (isFiltered) has.set(row.instance_uid, isWanted);
    if (isWanted) return { event: knew ? 'modified' : 'added', data: toInstance(instance) };
    return knew ? { event: 'deleted', data: { metadata: lastMetadata(row) } } : null;
  }

  return {
    get complete() {
      return known;
    },
    tell(rows, extent) {
      const messages: { version: number; message: Message }[] = [];
      for (const row of rows) {
        const isTold = ahead.get(row.instance_uid) === row.version;
        const message = isTold ? null : toMessage(row);
        if (message !== null) messages.push({ version: row.version, message });
      }
      const last = rows.at(-1)?.version;
      // An id says that all of its version was told, and of every version before.
      const isWhole = (version: number): boolean =>
        typeof extent === 'number' || (extent === 'more' && version !== last);
      if (typeof extent === 'number') {
        known = extent;
        for (const row of rows) {
          ahead.delete(row.instance_uid);
          if (!isFiltered) has.delete(row.instance_uid);
        }
      }
      return messages.map(({ version, message }, i) =>
        messages[i + 1]?.version !== version && isWhole(version) ? { ...message, id: String(version) } : message,
      );
    },
    tellAhead(rows) {
      const messages: Message[] = [];
      for (const row of rows) {
        const message = toMessage(row);
        if (message !== null) messages.push(message);
        ahead.set(row.instance_uid, row.version);
        if (!isFiltered && row.instance !== null) has.set(row.instance_uid, true);
      }
      return messages;
    },
  };
}

function lastMetadata(row: ChangeRow) {
  return {
    name: row.instance_name,
    uid: row.instance_uid,
    labels: row.tombstone_labels,
    resourceVersion: String(row.version),
    deletedAt: row.deleted_at?.toISOString() ?? null,
  };
}
