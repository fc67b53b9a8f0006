import { z } from 'zod';
import type { ServerType } from '../../specs/type.ts';
import { findType, readTypes } from '../db/types.ts';
import type { Api } from './context.ts';
import { nameCursor, readCursor, toPage } from './cursor.ts';
import { ApiProblem } from './problem.ts';
import { json, listOf, nameParameters, pageQuery, typeView } from './schemas.ts';

/** Server types with the JSON Schemas of what they take. */
export function addTypes(app: Api): void {
  app.get(
    '/types',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listTypes',
        summary: 'Server types by name',
        tags: ['types'],
        querystring: z.strictObject(pageQuery),
        response: { 200: json(listOf(typeView), 'A page') },
      },
    },
    async (request, reply) => {
      const { limit, cursor } = request.query;
      const after = cursor === undefined ? '' : readCursor(nameCursor, cursor);
      const rest = (await readTypes()).filter(type => type.name > after);
      return await reply.send(toPage(rest, limit, toView, type => type.name));
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
        response: { 200: json(typeView, 'With its schemas') },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const type = await findType(name);
      if (type === null) throw new ApiProblem('NotFound', `there is no type "${name}"; GET /api/v1/types lists them`);
      return await reply.send(toView(type));
    },
  );
}

function toView({ name, title, description, key, config, keyValues }: ServerType): z.infer<typeof typeView> {
  return {
    name,
    title,
    description,
    key,
    configSchema: toJsonSchema(config),
    keyValuesSchema: toJsonSchema(keyValues),
  };
}

/** As clients write it: fields with a default are not required. */
function toJsonSchema(schema: z.ZodType): Record<string, unknown> {
  return { ...z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) };
}
