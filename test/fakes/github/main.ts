/** A GitHub REST API in memory: see vendor.ts. */
import { serveVendor } from '../vendor.ts';
import { faults } from './fault.ts';
import { sha1 } from './git.ts';
import { failed } from './reply.ts';
import type { Call, Reply } from './reply.ts';
import { answer } from './routes.ts';
import { createState } from './state.ts';
import type { RateResource, State } from './state.ts';

const state = createState();

serveVendor({
  faults,
  answer({ headers, body, ...call }) {
    const resource = resourceOf(call.path);
    const { limit, remaining, reset } = state.rateLimits[resource];
    const limits = {
      'x-ratelimit-limit': String(limit),
      'x-ratelimit-remaining': String(remaining),
      'x-ratelimit-reset': String(reset),
      'x-ratelimit-resource': resource,
    };
    const token = /^(?:token|bearer) (.+)$/i.exec(headers.authorization ?? '')?.[1];
    const reply =
      token === state.token
        ? answer(state, { ...call, accept: headers.accept ?? '', body: (body ?? {}) as Call['body'] })
        : failed(401, 'Bad credentials');
    const validated = call.method === 'GET' && reply.status === 200 ? validate(reply, headers['if-none-match']) : reply;
    return { ...validated, headers: { ...limits, ...validated.headers } };
  },
  /** PUT rate-limit/{resource}: what the headers say. PUT storage {status}: refuse logs. GET storage: what it was asked. */
  control(command, body) {
    const resource = /^PUT rate-limit\/(\w+)$/.exec(command)?.[1] as RateResource | undefined;
    if (resource !== undefined) Object.assign(state.rateLimits[resource], body);
    else if (command === 'PUT storage') state.storage.status = (body as State['storage']).status;
    else if (command === 'GET storage') return state.storage.calls;
    return null;
  },
});

function resourceOf(path: string): RateResource {
  if (path === '/search/code') return 'code_search';
  return path.startsWith('/search/') ? 'search' : 'core';
}

/** Every answer to a read has its ETag, and 304 in its place when the client has it already. */
function validate(reply: Reply, known: string | undefined): Reply {
  const etag = `W/"${sha1(Buffer.isBuffer(reply.body) ? reply.body : JSON.stringify(reply.body))}"`;
  const headers = { ...reply.headers, etag };
  return known === etag ? { status: 304, body: '', headers: { etag } } : { ...reply, headers };
}
