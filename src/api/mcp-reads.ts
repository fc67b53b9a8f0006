import { z } from 'zod';
import { instance } from '../../specs/instance.ts';
import { labels } from '../../specs/name.ts';
import { phase } from '../../specs/phase.ts';
import { readInstancePage } from '../db/instance-page.ts';
import type { InstanceFilter } from '../db/instance-page.ts';
import { toInstance } from '../db/instance-view.ts';
import type { Api, ApiContext } from './context.ts';
import { nameCursor, readCursor, toPage } from './cursor.ts';
import { viewInstance } from './desired-state.ts';
import { isUnchanged, replyInstance } from './etag.ts';
import { flag, json, listOf, nameParameters, pageQuery } from './schemas.ts';
import { streamInstances } from './watch.ts';

// A query parameter comes once as text, several times as an array.
const labelPairs = z
  .union([z.string(), z.array(z.string())])
  .transform(pairs => (Array.isArray(pairs) ? pairs : [pairs]))
  .refine(
    pairs => pairs.every(pair => labels.safeParse(Object.fromEntries([splitPair(pair)])).success && pair.includes('=')),
    'must be name=value, such as "team=a"',
  )
  .refine(pairs => new Set(pairs.map(pair => splitPair(pair)[0])).size === pairs.length, 'must name each label once');

const listQuery = z.strictObject({
  type: z.string().max(63).optional(),
  phase: phase.optional(),
  label: labelPairs.optional().describe('name=value; several times = all of them'),
  q: z.string().max(63).optional().describe('Part of the name'),
  ...pageQuery,
  watch: flag('Stream changes as server-sent events instead'),
  resourceVersion: z.string().optional().describe('watch: begin after this version, as Last-Event-ID does'),
});

export function addMcpReads(app: Api, context: ApiContext): void {
  const { pool, readPool } = context;
  app.get(
    '/mcps',
    {
      config: { scope: 'read' },
      exposeHeadRoute: false,
      schema: {
        operationId: 'listInstances',
        summary: 'List instances by name, or watch them',
        description:
          'With watch=1 the answer is a stream of server-sent events: `added`, `modified` and `deleted` with the ' +
          'instance (of a deleted one its last metadata) as data, and `bookmark`. `id` is the resourceVersion up to ' +
          'which everything was told; Last-Event-ID resumes there, and gets 410 when history does not reach back.',
        tags: ['mcps'],
        querystring: listQuery,
        headers: z.looseObject({ 'last-event-id': z.string().optional().describe('watch: resume after this id') }),
        response: {
          200: {
            description: 'A page, or the stream',
            content: {
              'application/json': { schema: listOf(instance) },
              'text/event-stream': { schema: z.string() },
            },
          },
        },
      },
    },
    async (request, reply) => {
      const { query } = request;
      const filter: InstanceFilter = {
        type: query.type ?? null,
        phase: query.phase ?? null,
        labels: Object.fromEntries((query.label ?? []).map(splitPair)),
        q: query.q ?? null,
      };
      if (query.watch) return await streamInstances(context, request, reply, filter, query.resourceVersion);
      const after = query.cursor === undefined ? '' : readCursor(nameCursor, query.cursor);
      const rows = await readInstancePage(readPool, filter, after, query.limit + 1);
      return await reply.send(toPage(rows, query.limit, toInstance, row => row.name));
    },
  );

  app.get(
    '/mcps/:name',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getInstance',
        summary: 'One instance',
        tags: ['mcps'],
        params: nameParameters,
        headers: z.looseObject({
          'if-none-match': z.string().optional().describe('A resourceVersion: 304 if unchanged'),
        }),
        response: { 200: json(instance, 'ETag is the resourceVersion'), 304: z.undefined().describe('Unchanged') },
      },
    },
    async (request, reply) => {
      const found = await viewInstance(pool, request.params.name);
      if (isUnchanged(request, found)) {
        return await reply.code(304).header('etag', `"${found.metadata.resourceVersion}"`).send(undefined);
      }
      return replyInstance(reply, 200, found);
    },
  );
}

function splitPair(pair: string): [string, string] {
  const at = pair.indexOf('=');
  return [pair.slice(0, at), pair.slice(at + 1)];
}
