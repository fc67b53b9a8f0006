/** A GitHub REST API in memory: see vendor.ts. */
import { serveVendor } from '../vendor.ts';
import { faults } from './fault.ts';
import { failed } from './reply.ts';
import type { Call } from './reply.ts';
import { answer } from './routes.ts';
import { createState } from './state.ts';

const state = createState();

serveVendor({
  faults,
  headers: { 'x-ratelimit-remaining': '4999' },
  answer({ headers, body, ...call }) {
    const token = /^(?:token|bearer) (.+)$/i.exec(headers.authorization ?? '')?.[1];
    if (token !== state.token) return failed(401, 'Bad credentials');
    return answer(state, { ...call, accept: headers.accept ?? '', body: (body ?? {}) as Call['body'] });
  },
});
