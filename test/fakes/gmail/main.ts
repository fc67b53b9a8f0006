/** Gmail's REST API and Google's token endpoint in memory: see ../vendor.ts. */
import { serveVendor } from '../vendor.ts';
import { faults } from './fault.ts';
import { failed, notFound } from './reply.ts';
import { answer } from './routes.ts';
import { createState } from './state.ts';
import { allows } from './token.ts';

const state = createState();

serveVendor({
  faults,
  answer(call) {
    if (call.path === '/token') {
      return call.method === 'POST' ? state.tokens.grant(new URLSearchParams(String(call.body))) : notFound();
    }
    const scope = state.tokens.scopeOf(call.headers.authorization);
    if (scope === null) return failed(401, 'authError', 'Invalid Credentials', { status: 'UNAUTHENTICATED' });
    if (!allows(scope, call.method)) {
      return failed(403, 'insufficientPermissions', 'Request had insufficient authentication scopes.');
    }
    return answer(state, call);
  },
  /** `DELETE tokens` revokes all; `PUT tokens` with {lifetimeS} for those to come; `GET service-account`. */
  control(command, body) {
    if (command === 'DELETE tokens') state.tokens.revokeAll();
    if (command === 'PUT tokens') state.tokens.setLifetime((body as { lifetimeS: number }).lifetimeS);
    return command === 'GET service-account' ? state.tokens.serviceAccount() : null;
  },
});
