import { readBounded } from '../tool/body.ts';
import { isPublic } from '../tool/public-host.ts';
import { cutOff, UnreadableAnswer } from './errors.ts';
import type { EtagCache } from './etag-cache.ts';
import { readRateLimit } from './rate-limit.ts';
import type { RateLimit } from './rate-limit.ts';

/** What Octokit gives to fetch. */
interface RequestInit {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

/** What Octokit reads of an answer. Node's Response is not named: the bundled host has another (web-response.ts). */
interface Answer {
  readonly status: number;
  readonly statusText: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: unknown;
  text(): Promise<string>;
  arrayBuffer(): Promise<ArrayBuffer>;
}

export type Transport = (url: string, init: RequestInit) => Promise<Answer>;

/** More than any tool shows: a longer answer is not worth its memory. */
const maxAnswerBytes = 16 * 1024 * 1024;
const maxRedirects = 5;

/**
 * The fetch of one tool call. GET requests are conditional where an earlier answer is at hand: a 304 costs
 * nothing of the rate limit. Since every answer is asked for again, a write needs to invalidate nothing.
 * Throws UnreadableAnswer.
 */
export function createTransport(cache: EtagCache, onLimit: (limit: RateLimit) => void): Transport {
  return async (url, init) => {
    const key = init.method === 'GET' ? `${init.headers['accept']} ${url}` : null;
    const known = key === null ? null : cache.get(key);
    const headers = known === null ? init.headers : { ...init.headers, 'if-none-match': known.etag };
    const { response, redirected } = await follow(url, { ...init, headers }, answered => {
      const limit = readRateLimit(name => answered.headers.get(name));
      if (limit !== null) onLimit(limit);
    });
    if (known !== null && response.status === 304) {
      await response.body?.cancel();
      return answer(200, url, known.headers, known.body);
    }
    // A log may be of any length: it is left to its reader.
    if (response.ok && isLog(url)) return response;
    const body = await readBody(response, init.signal);
    const etag = response.headers.get('etag');
    if (key !== null && etag !== null && response.status === 200 && !redirected) {
      cache.set(key, { etag, headers: response.headers, body });
    }
    return answer(response.status, response.url, response.headers, body);
  };
}

/** The log of a job. A file or a ref may be called so too, but not at this place. */
function isLog(url: string): boolean {
  return /^((?!\/repos\/).)*\/repos\/[^/]+\/[^/]+\/actions\/jobs\/\d+\/logs$/.test(new URL(url).pathname);
}

/**
 * Redirects by hand: only logs lie elsewhere, under signed URLs, and the token stays with its origin. A write is
 * never turned into a read, as fetch does with a moved repository.
 */
async function follow(url: string, init: RequestInit, observe: (response: Response) => void) {
  let target = new URL(url);
  let { headers } = init;
  for (let hops = 0; ; hops += 1) {
    const response = await fetch(target, { ...init, headers, redirect: 'manual' });
    const foreign = target.origin !== new URL(url).origin;
    if (!foreign) observe(response);
    const location = [301, 302, 303, 307, 308].includes(response.status) ? response.headers.get('location') : null;
    if (location === null) {
      if (foreign && !response.ok) {
        await response.body?.cancel();
        throw new UnreadableAnswer(
          `The storage that GitHub referred to answered with ${response.status}. Try again: every try gets a fresh address.`,
        );
      }
      return { response, redirected: hops > 0 };
    }
    await response.body?.cancel();
    const next = URL.parse(location, target);
    if (hops === maxRedirects || next === null)
      throw new UnreadableAnswer('GitHub referred to no usable address. Check the base URL.');
    const { origin } = new URL(url);
    const repeatable = init.method === 'GET' || (response.status >= 307 && next.origin === origin);
    if (!repeatable) {
      throw new UnreadableAnswer(
        'This has moved (a renamed or transferred repository?): nothing was changed. Find its present name with search_repositories or get_file_contents.',
      );
    }
    if (next.origin !== origin) {
      if (!isLog(url) || !isStorage(next, new URL(url))) {
        throw new UnreadableAnswer(
          `GitHub referred to ${next.origin}, which is not followed: only the logs of jobs may lie elsewhere, and only at a public name with https. Check the base URL.`,
        );
      }
      headers = { 'user-agent': headers['user-agent'] ?? 'minimcp' };
    }
    target = next;
  }
}

/** Beside the public ones, the machine that the API is on: that one was named by who gave the token. */
function isStorage(next: URL, api: URL): boolean {
  const bare = next.username === '' && next.password === '';
  return (bare && next.hostname === api.hostname && next.protocol === api.protocol) || isPublic(next);
}

async function readBody({ body }: Response, signal: AbortSignal): Promise<Buffer> {
  let bytes: Buffer | null;
  try {
    bytes = await readBounded(body, maxAnswerBytes);
  } catch (error) {
    if (signal.aborted) throw error;
    throw new UnreadableAnswer(cutOff, { cause: error });
  }
  if (bytes === null)
    throw new UnreadableAnswer(`GitHub's answer has over ${maxAnswerBytes} bytes. Ask for less at a time.`);
  return bytes;
}

function answer(status: number, url: string, headers: Headers, body: Buffer): Answer {
  return {
    status,
    statusText: '',
    url,
    headers,
    body: null,
    text: async () => new TextDecoder().decode(body),
    arrayBuffer: async () => new Uint8Array(body).buffer,
  };
}
