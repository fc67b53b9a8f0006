import type { VendorFault, VendorReply } from '../vendor.ts';
import { failed, notFound, oauthFailed } from './reply.ts';

/** Replies in place of the true ones. Those of the token endpoint go with `path: '/token'`. */
export const faults = {
  'rate-limit': () => failed(403, 'rateLimitExceeded', 'Rate Limit Exceeded'),
  'user-rate-limit': () =>
    failed(403, 'userRateLimitExceeded', 'User Rate Limit Exceeded', { headers: { 'retry-after': '12' } }),
  'daily-limit': () => failed(403, 'dailyLimitExceeded', 'Daily Limit Exceeded'),
  'domain-policy': () => failed(403, 'domainPolicy', 'The domain administrators have disabled Gmail apps.'),
  'not-enabled': () => failed(403, 'accessNotConfigured', 'Gmail API has not been used in project 1 before'),
  delegation: () => failed(403, 'forbidden', 'Delegation denied for me@example.com'),
  scope: () => failed(403, 'insufficientPermissions', 'Request had insufficient authentication scopes.'),
  'not-found': notFound,
  unauthorized: () => failed(401, 'authError', 'Invalid Credentials'),
  conflict: () => failed(409, 'conflict', 'Concurrent update'),
  precondition: () => failed(412, 'conditionNotMet', 'Precondition check failed.'),
  unprocessable: () => failed(422, 'unprocessable', 'Label is not allowed here'),
  'too-many': () =>
    failed(429, 'rateLimitExceeded', 'Too many concurrent requests', { headers: { 'retry-after': '7' } }),
  'server-error': () => failed(503, 'backendError', 'Backend Error'),
  'invalid-grant': () => oauthFailed(400, 'invalid_grant', 'Token has been expired or revoked.'),
  'invalid-client': () => oauthFailed(401, 'invalid_client', 'The OAuth client was not found.'),
  'unauthorized-client': () =>
    oauthFailed(401, 'unauthorized_client', 'Client is unauthorized to retrieve access tokens using this method.'),
  /** Repeats what it was sent, with a status that leaves open what has happened. */
  echo: () => failed(300, 'echo', 'Sent with secret-of-client-1'),
  empty: () => ({ status: 200, body: '' }),
  'not-json': () => ({ status: 200, body: '<html>', headers: { 'content-type': 'text/html' } }),
} satisfies Record<string, () => VendorReply>;

export type GmailFault = VendorFault<keyof typeof faults>;
