import type { FastifyRequest } from 'fastify';
import type { Api } from './context.ts';
import { jsonPointer } from './pointer.ts';
import { ApiProblem, invalidBody } from './problem.ts';

export const bodyLimitBytes = 1_048_576;
const deepest = 32;

/** JSON is the only language: everything else is 415. `application/merge-patch+json` is for PATCH. */
export function acceptJson(app: Api): void {
  app.removeAllContentTypeParsers();
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser(
    ['application/json', 'application/merge-patch+json'],
    { parseAs: 'string' },
    (request, text: string, done) => {
      if (request.method !== 'PATCH' && mediaType(request) !== 'application/json') {
        done(new ApiProblem('UnsupportedMediaType', 'only PATCH takes application/merge-patch+json'));
        return;
      }
      // Clients that always send the header, also with nothing to say.
      if (text.length === 0) {
        done(null);
        return;
      }
      void parseJson(request, text, (error, body) => {
        if (error === null) done(null, body);
        else done(new ApiProblem('InvalidJson', whereJsonBreaks(error)));
      });
    },
  );
  app.addHook('preValidation', async request => {
    refuseUnstorable(request.body);
    for (const [name, value] of Object.entries(request.query as Record<string, unknown>)) {
      if (![name, value].flat().some(text => typeof text === 'string' && !isStorable(text))) continue;
      throw new ApiProblem('InvalidRequest', 'a query parameter must not contain NUL', {
        errors: [{ pointer: `?${name}`, message: 'must not contain NUL' }],
      });
    }
  });
}

function mediaType(request: FastifyRequest): string | undefined {
  return request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
}

/** V8's own message repeats a piece of the body, which may be a secret: only the position is taken from it. */
function whereJsonBreaks(error: Error): string {
  if (error.message.includes('forbidden prototype')) return 'the body has a field named "__proto__" or the like';
  const position = /at position (\d+)/.exec(error.message)?.[1];
  return position === undefined ? 'the body is not valid JSON' : `the body is not valid JSON at character ${position}`;
}

interface Place {
  readonly name: string;
  readonly parent: Place | null;
  readonly depth: number;
}

/**
 * Refuses what PostgreSQL cannot keep in text and jsonb (NUL, half of a surrogate pair) and what is nested so
 * deep that only an attack looks like that. Iterative, so that it cannot be brought down by depth itself.
 */
export function refuseUnstorable(body: unknown): void {
  const stack: { value: unknown; place: Place | null }[] = [{ value: body, place: null }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { value, place } = next;
    if (typeof value === 'string') {
      if (!isStorable(value)) throw refuse(place, 'must not contain NUL or half of a surrogate pair');
      continue;
    }
    if (typeof value !== 'object' || value === null) continue;
    const depth = (place?.depth ?? 0) + 1;
    if (depth > deepest) throw refuse(place, `is nested deeper than ${deepest} levels`);
    for (const [name, child] of Object.entries(value)) {
      if (!isStorable(name)) throw refuse(place, 'must not have names with NUL or half of a surrogate pair');
      stack.push({ value: child, place: { name, parent: place, depth } });
    }
  }
}

function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

function refuse(place: Place | null, message: string): ApiProblem {
  const path: string[] = [];
  for (let at = place; at !== null; at = at.parent) path.unshift(at.name);
  return invalidBody([{ pointer: jsonPointer(path), message }]);
}
