import type { Octokit } from '@octokit/rest';
import { cutOff, UnreadableAnswer } from './errors.ts';
import { createEtagCache } from './etag-cache.ts';
import { tighter } from './rate-limit.ts';
import type { RateLimit } from './rate-limit.ts';
import { createTransport } from './transport.ts';

export interface GithubAccess {
  readonly token: string;
  /** Null = github.com. */
  readonly baseUrl: string | null;
}

/** GitHub for one tool call. Every request of it ends with the call's signal. */
export interface GithubApi {
  readonly rest: Octokit['rest'];
  /** The tightest of the limits that GitHub has named in this call; null before its first answer. */
  rateLimit(): RateLimit | null;
}

const cacheBounds = { maxEntries: 256, maxBytes: 4 * 1024 * 1024 };

/** Octokit is loaded at the first call: neither the handshake nor the list of tools needs it, or fetch. */
export function createConnect({ token, baseUrl }: GithubAccess): (signal: AbortSignal) => Promise<GithubApi> {
  const cache = createEtagCache(cacheBounds);
  const silent = () => {};
  return async signal => {
    const { Octokit: Client } = await import('@octokit/rest');
    let rate: RateLimit | null = null;
    const fetch = createTransport(cache, limit => {
      rate = tighter(limit, rate);
    });
    const client = new Client({
      auth: token,
      userAgent: 'minimcp',
      log: { debug: silent, info: silent, warn: silent, error: silent },
      request: { fetch, signal },
      ...(baseUrl !== null && { baseUrl: baseUrl.replace(/\/+$/, '') }),
    });
    client.hook.before('request', keepSlashes);
    client.hook.after('request', ({ data, status, headers }, { mediaType }) => {
      const json = headers['content-type']?.startsWith('application/json') === true;
      // Octokit hands out JSON that does not parse as a plain string, without an error.
      if (json && typeof data === 'string') throw new UnreadableAnswer(cutOff);
      if (status < 204 && !mediaType?.format && (typeof data !== 'object' || data === null)) {
        throw new UnreadableAnswer(
          'The answer is none of the GitHub API: check the base URL, and what stands between here and GitHub.',
        );
      }
    });
    return { rest: client.rest, rateLimit: () => rate };
  };
}

/** Octokit encodes the slashes of paths and refs too, which proxies before GitHub Enterprise refuse. */
function keepSlashes(options: { url: string; [name: string]: unknown }): void {
  const name = options.url.endsWith('/contents/{path}') ? 'path' : /\/git\/refs?\/\{ref\}$/.test(options.url) && 'ref';
  if (name === false || typeof options[name] !== 'string') return;
  const encoded = options[name].split('/').map(encodeURIComponent).join('/');
  options.url = options.url.replace(/\{\w+\}$/, () => encoded);
  delete options[name];
}
