import type { VendorFault, VendorReply } from '../vendor.ts';
import { failed, failedBoolean } from './reply.ts';

/** Replies in place of the true ones. */
export const faults = {
  'bad-request': () => failed(400, 'Invalid depth: should be a positive integer'),
  unauthorized: () => failed(401, 'Token expired'),
  'no-scope': () =>
    failed(403, 'Invalid scope(s): file_content:read. This endpoint requires the file_metadata:read scope'),
  forbidden: () => failed(403, 'File not exportable'),
  'enterprise-only': () => failedBoolean(403, 'Limited by Figma plan'),
  'not-found': () => failed(404, 'Not found'),
  unprocessable: () => failedBoolean(422, 'ids: too many\nof them'),
  'rate-limit': () => failed(429, 'Rate limit exceeded', { 'retry-after': '1', 'x-figma-rate-limit-type': 'high' }),
  'rate-limit-minute': () =>
    failed(429, 'Rate limit exceeded', {
      'retry-after': '45',
      'x-figma-plan-tier': 'pro',
      'x-figma-rate-limit-type': 'high',
      'x-figma-upgrade-link': 'https://evil.test/upgrade',
    }),
  'rate-limit-month': () =>
    failed(429, 'Rate limit exceeded', {
      'retry-after': '396749',
      'x-figma-plan-tier': 'starter',
      'x-figma-rate-limit-type': 'low',
      'x-figma-upgrade-link': 'https://www.figma.com/files?api_paywall=true',
    }),
  'server-error': () => failed(500, 'Internal server error'),
  'not-json': () => ({ status: 200, body: '<html>gateway</html>' }),
  /** Refused for its length alone. */
  huge: () => ({ status: 200, body: Buffer.alloc(51 * 1024 * 1024, 'x') }),
  /** Small in bytes and large in all else. */
  many: () => ({ status: 200, body: `{"document":{"type":"DOCUMENT","children":[${'{},'.repeat(250_000)}{}]}}` }),
  /** Repeats the token, with a status that promises better. */
  echo: () => ({ status: 200, body: { err: 'No figd_testtoken here' } }),
  elsewhere: () => ({ status: 302, body: '', headers: { location: '/elsewhere' } }),
} satisfies Record<string, () => VendorReply>;

export type FigmaFault = VendorFault<keyof typeof faults>;
