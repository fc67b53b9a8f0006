import { discard, readJson } from './body.ts';
import type { Body } from './body.ts';
import { FigmaRefusal, RateLimited, UnreadableAnswer } from './errors.ts';
import { createLimits, readLimit } from './limits.ts';
import type { Tier } from './limits.ts';

export interface FigmaAccess {
  readonly token: string;
  readonly baseUrl: string;
}

/** One request of Figma's REST API. */
export interface FigmaRequest {
  readonly tier: Tier;
  /** The file or team it is about: what limits are counted by. */
  readonly resource: string;
  /** Below the base URL; its variable parts are checked before. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** With it, the request is a POST. */
  readonly body?: object;
}

export interface FigmaAnswer<T> {
  readonly data: T;
  /** Size of its JSON. */
  readonly bytes: number;
}

export interface FigmaClient {
  /** Where the API is; images may also come from there. */
  readonly origin: string;
  /** Throws FigmaRefusal, RateLimited, UnreadableAnswer, AnswerTooLarge, or what fetch throws. */
  ask<T extends object>(request: FigmaRequest, signal: AbortSignal): Promise<FigmaAnswer<T>>;
}

/** Parsed, such an answer is several times as large; what is larger has to be asked for in parts. */
const maxAnswerBytes = 32 * 1024 * 1024;
const maxRefusalBytes = 64 * 1024;

export function createClient({ token, baseUrl }: FigmaAccess): FigmaClient {
  const base = baseUrl.replace(/\/+$/, '');
  const limits = createLimits();
  return {
    origin: new URL(base).origin,
    async ask<T extends object>(request: FigmaRequest, signal: AbortSignal): Promise<FigmaAnswer<T>> {
      const { tier, resource, body } = request;
      const known = limits.find(tier, resource, Date.now());
      if (known !== null) throw new RateLimited(known);
      const headers = { 'x-figma-token': token, accept: 'application/json', 'user-agent': 'minimcp' };
      const response = await fetch(base + request.path + encodeQuery(request.query), {
        headers,
        // fetch would carry the token along, to whatever host it is sent to.
        redirect: 'manual',
        signal,
        ...(body !== undefined && {
          method: 'POST',
          headers: { ...headers, 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }),
      });
      if (response.status === 429) {
        discard(response);
        const limit = readLimit(tier, response.headers, Date.now());
        limits.remember(limit, resource, Date.now());
        throw new RateLimited(limit);
      }
      if (!response.ok) {
        throw new FigmaRefusal(response.status, await readReason(response, signal));
      }
      const { data, bytes } = await readJson(response, maxAnswerBytes, signal);
      if (typeof data !== 'object' || data === null) throw new UnreadableAnswer("Figma's answer is no object.");
      return { data: data as T, bytes };
    },
  };
}

function encodeQuery(query: FigmaRequest['query'] = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) params.set(name, String(value));
  return params.size === 0 ? '' : `?${params.toString()}`;
}

/** Figma says `err` at some endpoints and `message` at others. */
async function readReason(response: Body & { readonly status: number }, signal: AbortSignal): Promise<string> {
  if (response.status >= 300 && response.status < 400) {
    discard(response);
    return 'a redirect, which is not followed: set the base URL to where it leads';
  }
  try {
    const { data } = await readJson(response, maxRefusalBytes, signal);
    const { err, message } = (data ?? {}) as { err?: unknown; message?: unknown };
    const said = typeof err === 'string' ? err : message;
    return typeof said === 'string' ? said.replaceAll(/\s+/g, ' ').slice(0, 500) : 'no reason given';
  } catch (error) {
    if (signal.aborted) throw error;
    return 'no readable reason';
  }
}
