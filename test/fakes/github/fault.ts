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
  conflict: () => failed(409, 'Git Repository is empty.'),
  'too-many': () => failed(429, 'Too many requests', { 'retry-after': '7' }),
  'server-error': () => failed(502, 'Server Error'),
} satisfies Record<string, () => VendorReply>;

export type GithubFault = VendorFault<keyof typeof faults>;
