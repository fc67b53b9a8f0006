import type { HTTPMethods } from 'fastify';
import type { Api } from './context.ts';
import { ApiProblem } from './problem.ts';

const known: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/**
 * Notes the routes that are registered from now on. The answer, called when all are, makes their paths say
 * 405, with Allow, to methods that they do not have.
 */
export function refuseOtherMethods(app: Api): () => void {
  const methods = new Map<string, Set<string>>();
  let isDone = false;
  app.addHook('onRoute', route => {
    if (isDone) return;
    const taken = methods.get(route.url) ?? new Set();
    methods.set(route.url, taken);
    for (const method of [route.method].flat()) taken.add(method);
  });
  return () => {
    isDone = true;
    for (const [url, taken] of methods) {
      const allow = [...taken].join(', ');
      app.route({
        url,
        method: known.filter(method => !taken.has(method)),
        schema: { hide: true },
        // Before a body would be read.
        onRequest: async request => {
          throw new ApiProblem('MethodNotAllowed', `${request.method} is not for this path; ${allow} are`, {
            headers: { allow },
          });
        },
        handler: async () => {},
      });
    }
  };
}
