import { failed } from './reply.ts';
import type { Reply } from './reply.ts';

/** Replies in place of the true ones. */
const replies = {
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
} satisfies Record<string, () => Reply>;

/** What a test switches on: the next calls go wrong in this way, until it is switched off. */
export interface Fault {
  /** slow: late by delayMs; truncated: the connection breaks within the body. */
  readonly kind: keyof typeof replies | 'slow' | 'truncated';
  readonly delayMs?: number;
}

/** The reply that a fault puts in place of the true one; null where it leaves the reply alone. */
export function faultReply({ kind }: Fault): Reply | null {
  return kind === 'slow' || kind === 'truncated' ? null : replies[kind]();
}
