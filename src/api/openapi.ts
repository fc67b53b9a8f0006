import swagger from '@fastify/swagger';
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { problem } from '../../specs/problem.ts';
import type { Api, ApiContext } from './context.ts';
import { problemKinds } from './problem.ts';
import { json, nameComponents } from './schemas.ts';

type Document = Exclude<ReturnType<Api['swagger']>, string>;
type Served = Record<string, unknown> & { openapi: string };
type Transform = ReturnType<typeof createJsonSchemaTransform>;

const problemStatuses = {
  every: [400, 421, 500, 503],
  private: [401, 403],
  named: [404],
  writes: [409, 412, 413, 415, 422],
};

/** Gathers every route that is registered after it into an OpenAPI 3.1 document. */
export async function addOpenApi(app: Api, { version }: Pick<ApiContext, 'version'>): Promise<void> {
  nameComponents();
  const transform = createJsonSchemaTransform({});
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'MiniMCP',
        version,
        description:
          'MCP servers on a lease. The API writes desired state and answers before any process has moved; ' +
          'controllers make it true. Errors are problem documents (RFC 9457).',
        // `identifier` is new in 3.1, which the types do not know yet.
        license: { name: 'MIT', identifier: 'MIT' } as { name: string },
      },
      servers: [{ url: '/', description: 'This server; /api is an alias of /api/v1' }],
      tags: [
        { name: 'mcps', description: 'Instances' },
        { name: 'types', description: 'Server types' },
        { name: 'api-keys', description: 'Vendor credentials' },
        { name: 'events', description: 'What happened' },
        { name: 'nodes', description: 'Machines and controllers' },
        { name: 'health', description: 'For supervisors' },
        { name: 'meta', description: 'About the API' },
      ],
      components: {
        securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'An API token, mmcp_…' } },
      },
      security: [{ token: [] }],
    },
    transform: input => transform(withProblems(input)),
    transformObject: input => dropUnused(createJsonSchemaTransformObject({})(input) as Document),
  });
}

/** The document itself. */
export function addOpenApiRoutes(app: Api): void {
  let document: Served | undefined;
  for (const url of ['/openapi.json', '/api/v1/openapi.json']) {
    app.get(
      url,
      {
        config: { scope: 'read' },
        schema: {
          hide: url === '/openapi.json',
          operationId: 'getOpenApi',
          summary: 'This document',
          tags: ['meta'],
          response: { 200: json(z.looseObject({ openapi: z.string() }), 'OpenAPI 3.1') },
        },
      },
      async () => (document ??= app.swagger() as unknown as Served),
    );
  }
}

/** Every route can fail in the same ways; nobody has to remember to say so. */
function withProblems(input: Parameters<Transform>[0]): Parameters<Transform>[0] {
  const { route, schema, url } = input;
  const isWrite = !['GET', 'HEAD'].includes(String(route.method));
  const statuses = [
    ...problemStatuses.every,
    ...(route.config?.scope === 'public' ? [] : problemStatuses.private),
    ...(url.includes(':') ? problemStatuses.named : []),
    ...(isWrite ? problemStatuses.writes : []),
    ...(/\/(access|connect)$/.test(url) ? [409] : []),
    ...((schema as { querystring?: { shape?: object } } | undefined)?.querystring?.shape !== undefined &&
    /\/(mcps|events)$/.test(url) &&
    !isWrite
      ? [410]
      : []),
  ];
  const titles = new Map(Object.values(problemKinds).map(([status, title]) => [status as number, title]));
  const problems = statuses.map(status => [
    status,
    { description: titles.get(status), content: { 'application/problem+json': { schema: problem } } },
  ]);
  return {
    ...input,
    schema: { ...schema, response: { ...Object.fromEntries(problems), ...(schema?.response as object | undefined) } },
  };
}

/** The components come in a version for requests and one for answers; most need one of them. */
function dropUnused(document: Document): Document {
  const schemas = (document as { components?: { schemas?: Record<string, unknown> } }).components?.schemas ?? {};
  for (let before = -1; before !== Object.keys(schemas).length;) {
    before = Object.keys(schemas).length;
    const text = JSON.stringify(document);
    for (const name of Object.keys(schemas)) {
      if (!text.includes(`"#/components/schemas/${name}"`)) delete schemas[name];
    }
  }
  return document;
}
