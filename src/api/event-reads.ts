import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { event } from '../../specs/event.ts';
import { readUidByName } from '../db/changes.ts';
import { lastId, readEventHistory, readEvents, readEventTail, toEvent } from '../db/events.ts';
import type { EventPosition, EventRow } from '../db/events.ts';
import { openCallerStream } from './caller-stream.ts';
import type { Api, ApiContext } from './context.ts';
import { readCursor, toPage } from './cursor.ts';
import { noInstance } from './desired-state.ts';
import { follow } from './follow.ts';
import { ApiProblem } from './problem.ts';
import { flag, listOf, nameParameters, pageQuery } from './schemas.ts';

const eventCursor = z.tuple([z.int().min(0), z.int().min(0)]);

const query = {
  ...pageQuery,
  follow: flag('Stream as server-sent events: the last `limit` events, then those that happen'),
};
type Query = z.infer<z.ZodObject<typeof query>>;

const response = {
  200: {
    description: 'A page, or the stream',
    content: { 'application/json': { schema: listOf(event) }, 'text/event-stream': { schema: z.string() } },
  },
};
const headers = z.looseObject({
  'last-event-id': z.string().optional().describe('follow: resume after this id'),
});
const description =
  'With follow=1 the answer is a stream of server-sent events named `event`, and of bookmarks; Last-Event-ID resumes ' +
  'after the event with that id.';

/** The trail of what happened: of one instance, also for an hour after its end, and of all. */
export function addEventReads(app: Api, context: ApiContext): void {
  app.get(
    '/events',
    {
      config: { scope: 'read' },
      exposeHeadRoute: false,
      schema: {
        operationId: 'listEvents',
        summary: 'What happened, oldest first',
        description,
        tags: ['events'],
        querystring: z.strictObject({ ...query, instance: z.uuid().optional().describe("An instance's uid") }),
        headers,
        response,
      },
    },
    async (request, reply) => await answer(context, request, reply, request.query.instance ?? null, request.query),
  );

  app.get(
    '/mcps/:name/events',
    {
      config: { scope: 'read' },
      exposeHeadRoute: false,
      schema: {
        operationId: 'listInstanceEvents',
        summary: 'What happened to an instance, oldest first',
        description,
        tags: ['mcps', 'events'],
        params: nameParameters,
        querystring: z.strictObject(query),
        headers,
        response,
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const uid = await readUidByName(context.pool, name);
      if (uid === null) throw noInstance(name);
      return await answer(context, request, reply, uid, request.query);
    },
  );
}

async function answer(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  uid: string | null,
  { limit, cursor, follow: isStream }: Query,
): Promise<FastifyReply> {
  const after = cursor === undefined ? null : readCursor(eventCursor, cursor);
  const position = after === null ? null : { xid: after[0], id: after[1] };
  if (isStream) return await streamEvents(context, request, reply, uid, position, limit);
  const rows = await readEvents(context.readPool, uid, position ?? { xid: 0, id: 0 }, lastId, limit + 1);
  return await reply.send(toPage(rows, limit, toEvent, row => [row.xid, row.id]));
}

async function streamEvents(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  uid: string | null,
  cursor: EventPosition | null,
  limit: number,
): Promise<FastifyReply> {
  const { pool, hub, log } = context;
  // Checked before the stream begins, so that the answer can still be a problem.
  const { complete, next } = await readEventHistory(pool);
  const from =
    readId(request.headers['last-event-id'], next) ?? cursor ?? (await readEventTail(pool, uid, complete, limit));
  let told: number | null = null;
  const stream = openCallerStream(context, request, reply, () => (told === null ? null : bookmark(told)));
  const { source } = hub.events;
  const following = follow<EventRow>(hub.events, stream, log, {
    drainMs: hub.timing.drainMs,
    start: from.xid > complete ? { version: complete, tie: null } : { version: from.xid, tie: from.id },
    source: {
      ...source,
      readRows: ({ version, tie }, upTo, count) =>
        readEvents(pool, uid, { xid: version, id: tie === null ? lastId : Number(tie) }, upTo, count),
    },
    write(rows, extent) {
      const wanted = rows.filter(row => uid === null || row.instance_uid === uid);
      stream.send(wanted.map(row => ({ event: 'event', id: `${row.xid}-${row.id}`, data: toEvent(row) })));
      if (typeof extent === 'number') told = extent;
    },
    caughtUp: async upTo => stream.send([bookmark(upTo)]),
  });
  following.catch((error: unknown) => {
    log.error({ err: error }, 'a stream of events failed');
    stream.end();
  });
  return reply;
}

/** An id of this stream: transaction and event, or (of a bookmark) a whole transaction. Throws 400 and 410. */
function readId(text: string | string[] | undefined, next: number): EventPosition | null {
  if (text === undefined || text === '') return null;
  const match = typeof text === 'string' ? /^(\d{1,15})(?:-(\d{1,15}))?$/.exec(text) : null;
  if (match === null) {
    throw new ApiProblem('InvalidRequest', 'Last-Event-ID must be the id of an event of this stream');
  }
  const xid = Number(match[1]);
  if (xid >= next)
    throw new ApiProblem('HistoryGone', `events since ${match[0]} are not known; follow without Last-Event-ID`);
  return { xid, id: match[2] === undefined ? lastId : Number(match[2]) };
}

function bookmark(complete: number) {
  const id = String(complete);
  return { event: 'bookmark', id, data: { id } };
}
