import { z } from 'zod';
import { builtinTypes } from '../../specs/type.ts';
import { readTypeRow, readTypeSummaries } from '../db/types.ts';
import type { Api, ApiContext } from './context.ts';
import { nameCursor, readCursor, toPage } from './cursor.ts';
import { ApiProblem } from './problem.ts';
import { json, listOf, nameParameters, pageQuery, typeSummary, typeView } from './schemas.ts';
import { replyType, summarizeBuiltin, summarizeRegistered, viewBuiltin, viewRegistered } from './type-view.ts';

/** Server types, built in and registered; each one alone comes with the JSON Schemas of what it takes. */
export function addTypes(app: Api, { pool, readPool }: ApiContext): void {
  app.get(
    '/types',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listTypes',
        summary: 'Server types by name, without their schemas and manifests',
        tags: ['types'],
        querystring: z.strictObject(pageQuery),
        response: { 200: json(listOf(typeSummary), 'A page') },
      },
    },
    async (request, reply) => {
      const { limit, cursor } = request.query;
      const after = cursor === undefined ? '' : readCursor(nameCursor, cursor);
      const registered = (await readTypeSummaries(readPool, after, limit + 1)).map(summarizeRegistered);
      const builtin = [...builtinTypes.values()].filter(type => type.name > after).map(summarizeBuiltin);
      const rest = [...builtin, ...registered].toSorted((a, b) => (a.name < b.name ? -1 : 1));
      return await reply.send(
        toPage(
          rest,
          limit,
          view => view,
          view => view.name,
        ),
      );
    },
  );

  app.get(
    '/types/:name',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getType',
        summary: 'One server type',
        tags: ['types'],
        params: nameParameters,
        response: { 200: json(typeView, 'With its schemas, and its manifest where it is registered') },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const builtin = builtinTypes.get(name);
      if (builtin !== undefined) return replyType(reply, 200, viewBuiltin(builtin));
      const row = await readTypeRow(pool, name);
      if (row === null) throw noType(name);
      return replyType(reply, 200, viewRegistered(row));
    },
  );
}

export function noType(name: string): ApiProblem {
  return new ApiProblem('NotFound', `there is no type "${name}"; GET /api/v1/types lists them`);
}
