import { randomUUID } from 'node:crypto';
import Fastify, { LogController } from 'fastify';
import type { FastifyInstance } from 'fastify';
import { dnsLabel } from '../../specs/name.ts';
import { addApiKeys } from './api-keys.ts';
import { authenticate } from './authentication.ts';
import { acceptJson, bodyLimitBytes } from './body.ts';
import { addConnect } from './connect.ts';
import type { Api, ApiContext, ApiOptions } from './context.ts';
import { replyMalformed, replyProblem } from './error-reply.ts';
import { addEventReads } from './event-reads.ts';
import { addHealth } from './health.ts';
import { guardHosts } from './host-guard.ts';
import { createHub } from './hub.ts';
import { addMcpAccess } from './mcp-access.ts';
import { addMcpActions } from './mcp-actions.ts';
import { addMcpDeletion } from './mcp-deletion.ts';
import { addMcpReads } from './mcp-reads.ts';
import { addMcpWrites } from './mcp-writes.ts';
import { refuseOtherMethods } from './methods.ts';
import { addNodes } from './nodes.ts';
import { addOpenApi, addOpenApiRoutes } from './openapi.ts';
import { addPage } from './page.ts';
import { ApiProblem } from './problem.ts';
import { addTypeWrites } from './type-writes.ts';
import { addTypes } from './types.ts';
import { validateInput } from './validation.ts';

// A second belt: nothing here logs headers or bodies.
const redact = ['authorization', 'token', 'values', 'headers', 'body'].flatMap(name => [
  name,
  `*.${name}`,
  `*.*.${name}`,
]);

/** Open at once, streams included. */
const mostConnections = 512;

/** No connection stays for nothing: not before a request, not within it, not between two, not behind an answer. */
const patience = {
  requestTimeout: 30_000,
  keepAliveTimeout: 10_000,
  // Nothing moves either way. Longer than a deletion is waited for; streams have signs of life oftener.
  connectionTimeout: 330_000,
};

/**
 * The whole API, ready to listen or to be asked by `inject`. It only writes desired state; it hears of changes
 * from `onReady` on and lets go of its streams before it closes.
 */
export async function buildApi(options: ApiOptions): Promise<FastifyInstance> {
  const log = options.log.child({}, { redact });
  const context: ApiContext = { ...options, log, hub: createHub(options.pool, log, options.streamTiming) };
  const app = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    // While closing, what still comes is answered as ever, and then the connection ends.
    return503OnClosing: false,
    bodyLimit: bodyLimitBytes,
    ...patience,
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 1_000 },
    routerOptions: { maxParamLength: 1_000 },
    genReqId: request => {
      const given = request.headers['x-request-id'];
      return typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
    },
    // `/api` is the newest version.
    rewriteUrl: request => (request.url ?? '/').replace(/^\/api(?=$|[?]|\/(?!v\d))/, '/api/v1'),
    frameworkErrors: (error, request, reply) => {
      void replyProblem(error, request, reply.header('x-request-id', request.id));
    },
    clientErrorHandler: (error, socket) => replyMalformed(error, socket),
  }) as unknown as Api;

  // What is beyond is dropped at once: the descriptors are shared with the controllers.
  app.server.maxConnections = mostConnections;
  app.setValidatorCompiler(validateInput);
  // Answers are typed rows of our own making; the OpenAPI test holds them against their schemas.
  app.setSerializerCompiler(() => JSON.stringify);
  app.setErrorHandler(replyProblem);
  app.setNotFoundHandler(request => {
    throw new ApiProblem('NotFound', `there is no ${request.method} ${pathOf(request.url)}`);
  });
  acceptJson(app);
  addHooks(app, context);
  const refuseOthers = refuseOtherMethods(app);

  await addOpenApi(app, context);
  addPage(app);
  addHealth(app, context);
  addOpenApiRoutes(app);
  await app.register(
    async scoped => {
      const v1 = scoped as Api;
      addMcpReads(v1, context);
      addMcpWrites(v1, context);
      addMcpDeletion(v1, context);
      addMcpActions(v1, context);
      addMcpAccess(v1, context);
      addConnect(v1, context);
      addEventReads(v1, context);
      addTypes(v1, context);
      addTypeWrites(v1, context);
      addApiKeys(v1, context);
      addNodes(v1, context);
    },
    { prefix: '/api/v1' },
  );
  refuseOthers();
  return app;
}

function addHooks(app: Api, { config, pool, hub, log }: ApiContext): void {
  const guard = guardHosts(config);
  app.decorateRequest('caller', null);
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({
      'x-request-id': request.id,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    });
    guard(request);
    if (request.routeOptions.config.scope !== 'public') request.caller = await authenticate(pool, request);
  });
  app.addHook('preValidation', async request => {
    // No thing can have such a name, so nobody has to be asked. PUT says what a name has to be.
    const { name } = request.params as { name?: string };
    if (name === undefined || request.method === 'PUT' || dnsLabel.safeParse(name).success) return;
    throw new ApiProblem('NotFound', 'there is nothing of that name: names are DNS labels');
  });
  app.addHook('onResponse', async (request, reply) => {
    const { method, id } = request;
    const level = ['GET', 'HEAD', 'OPTIONS'].includes(method) ? 'debug' : 'info';
    const line = {
      requestId: id,
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
      caller: request.caller?.name,
    };
    log[level](line, `${method} ${pathOf(request.url)}`);
  });
  app.addHook('onReady', async () => hub.start());
  app.addHook('preClose', async () => await hub.close());
}

function pathOf(url: string): string {
  return url.split('?', 1)[0]!;
}
