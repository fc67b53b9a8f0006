import type { VendorFault, VendorReply } from '../vendor.ts';
import { failed } from './reply.ts';

/** Replies in place of the true ones. */
export const faults = {
  'rate-limit': () =>
    failed(403, 'API rate limit exceeded', {
      'x-ratelimit-remaining': '0',
      'x-ratelimit-limit': '5000',
      'x-ratelimit-reset': String(Math.floor(Date.now() / 1000) + 90),
    }),
  'secondary-limit': () => failed(403, 'You have exceeded a secondary rate limit', { 'retry-after': '60' }),
  forbidden: () =>
    failed(403, 'Resource not accessible by personal access token', {
      'x-accepted-github-permissions': 'issues=write',
    }),
  sso: () =>
    failed(403, 'Resource protected by organization SAML enforcement.', {
      'x-github-sso': 'required; url=https://github.com/orgs/acme/sso?authorization_request=AZS',
    }),
  'not-found': () => failed(404, 'Not Found'),
  invalid: () => failed(422, 'Validation Failed', {}, ['title is too clever']),
  /** Repeats the token. */
  echo: () => failed(422, 'No user for ghp_testtoken'),
  'no-json': () => ({
    status: 200,
    body: '<html>Please log in</html>',
    headers: { 'content-type': 'text/html; charset=utf-8' },
  }),
  'wrong-shape': () => ({ status: 200, body: { message: 'none of what was asked' } }),
  /** JSON that ends early, though the transfer was whole. */
  'half-json': () => ({ status: 200, body: '{"login": "mo', headers: { 'content-type': 'application/json' } }),
  'absurd-limit': () =>
    failed(403, 'API rate limit exceeded', { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '9'.repeat(14) }),
  conflict: () => failed(409, 'Git Repository is empty.'),
  'too-many': () => failed(429, 'Too many requests', { 'retry-after': '7' }),
  'server-error': () => failed(502, 'Server Error'),
} satisfies Record<string, () => VendorReply>;

export type GithubFault = VendorFault<keyof typeof faults>;
