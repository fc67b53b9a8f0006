import { findReason, isOwnFault } from '../tool/silence.ts';
import { readResetAt } from './rate-limit.ts';

/** What an Octokit RequestError carries, structurally: the class itself is loaded only with Octokit. */
interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly response: {
    readonly headers: Record<string, string | number | undefined>;
    readonly data?: unknown;
  };
}

/** GitHub answered with something that is not what its API promises. The message says what to do next. */
export class UnreadableAnswer extends Error {
  override readonly name = 'UnreadableAnswer';
}

export const cutOff = "GitHub's answer was cut off. Try again; if it stays so, ask for less at a time.";

/** A sentence for the model or the person behind it: what happened and what to do next. Never throws. */
export function explainFailure(error: unknown, nowMs: number): string {
  const refusal = findRefusal(error);
  return refusal === null ? explainSilence(error) : explainRefusal(refusal, nowMs);
}

/** The refusal in an error of Octokit; null when there was no answer. */
export function findRefusal(error: unknown): Refusal | null {
  if (typeof error !== 'object' || error === null || !('response' in error) || !('status' in error)) return null;
  return error.response === undefined ? null : (error as Refusal);
}

function explainRefusal(refusal: Refusal, nowMs: number): string {
  const reason = reasonOf(refusal);
  switch (refusal.status) {
    case 401:
      return `GitHub refused the token (401: ${reason}). It is wrong, expired or revoked: make a new personal access token and store it with PUT /api/v1/api-keys/<name> of MiniMCP.`;
    case 403:
    case 429:
      return explainLimit(refusal, nowMs) ?? explainForbidden(refusal, reason);
    case 404:
      return 'GitHub found nothing there (404). Check owner, repository, number and path; a private repository also looks like this when the token may not see it, and any other when the token may not write to it.';
    case 405:
      return `GitHub does not do this at present (405: ${reason}). For a merge: see mergeable_state by pull_request_read, resolve conflicts or wait for checks and reviews.`;
    case 406:
      return `GitHub does not show this in the form asked for (406: ${reason}). Is it a diff, ask for get_files, page by page.`;
    case 409:
      return `GitHub reports a conflict (409: ${reason}). Read the present state again and repeat the change on it.`;
    case 410:
      return `This is gone or switched off (410: ${reason}).`;
    case 422:
      return `GitHub did not accept the arguments (422: ${reason}). Correct them and try again.`;
    default:
      if (refusal.status >= 500) {
        return `GitHub has a problem of its own (${refusal.status}). Try again in a minute; githubstatus.com says more. After a write look first whether it was done.`;
      }
      return `GitHub refused the request (${refusal.status}: ${reason}).`;
  }
}

/** Null when the refusal is no rate limit. */
function explainLimit({ status, response }: Refusal, nowMs: number): string | null {
  const header = (name: string) => (response.headers[name] === undefined ? null : String(response.headers[name]));
  const resetAt = readResetAt(header);
  if (header('x-ratelimit-remaining') === '0' && resetAt !== null) {
    const inS = Math.max(0, Math.ceil((Date.parse(resetAt) - nowMs) / 1000));
    const resource = header('x-ratelimit-resource');
    const which = resource === null || !/^\w{1,64}$/.test(resource) ? '' : ` for ${resource}`;
    return `GitHub's rate limit${which} for this token is used up (${status}). It starts anew at ${resetAt}, in ${inS} s: wait until then.`;
  }
  const retryAfter = header('retry-after');
  const known = retryAfter !== null && /^\d{1,6}$/.test(retryAfter);
  const secondary = /rate limit|abuse detection/i.test(messageOf(response.data) ?? '');
  if (!secondary && status !== 429 && !known) return null;
  return `GitHub asks for fewer requests (${status}, secondary rate limit). Wait ${known ? `${retryAfter} s` : 'a minute'} and ask less often.`;
}

function explainForbidden({ response }: Refusal, reason: string): string {
  const needed = response.headers['x-accepted-github-permissions'];
  const sso = response.headers['x-github-sso'] !== undefined;
  const hint = sso
    ? 'Authorize the token for single sign-on of this organization: github.com/settings/tokens, "Configure SSO".'
    : `Give the token the permission${needed === undefined ? ' it lacks' : ` it lacks (${String(needed).slice(0, 200)})`}.`;
  return `The token may not do this (403: ${reason}). ${hint}`;
}

/** There was no answer, or none that could be used. */
function explainSilence(error: unknown): string {
  // Octokit wraps fetch, which wraps the socket's error: the innermost says what happened.
  const chain: unknown[] = [error];
  while (chain.length < 10) {
    const last = chain.at(-1);
    if (!(last instanceof Error) || last.cause === undefined) break;
    chain.push(last.cause);
  }
  const unreadable = chain.find(each => each instanceof UnreadableAnswer);
  if (unreadable !== undefined) return unreadable.message;
  const reason = findReason(error);
  const { name, code } = reason;
  if (name === 'TimeoutError') {
    return 'GitHub did not answer in time. Try again, or ask for less at a time. After a write look first whether it was done.';
  }
  if (name === 'AbortError') return 'The call was cancelled.';
  if (name === 'URIError') return 'An argument holds half a character (a lone surrogate): correct its text.';
  // No message from here on: it may hold what a request was made of, such as the token.
  const asked = typeof error === 'object' && error !== null && 'status' in error;
  if (isOwnFault(reason) || (!asked && typeof code !== 'string')) {
    return "MiniMCP could not read GitHub's answer: it was not what its API promises. Try again; if it stays so, check the base URL.";
  }
  const why = typeof code === 'string' ? code : (name ?? 'no reason given');
  return `GitHub could not be reached (${why}). Check the network and the base URL, then try again.`;
}

/** GitHub's message with its list of errors, without newlines and of bounded length. */
function reasonOf({ response }: Refusal): string {
  const { errors } = (response.data ?? {}) as { errors?: unknown };
  const list = Array.isArray(errors)
    ? errors.map(each => (typeof each === 'string' ? each : JSON.stringify(each)))
    : [];
  const reason = [messageOf(response.data) ?? 'no reason given', ...list].join('; ');
  return reason.replaceAll(/\s+/g, ' ').slice(0, 500);
}

function messageOf(data: unknown): string | null {
  if (typeof data !== 'object' || data === null || !('message' in data)) return null;
  return typeof data.message === 'string' ? data.message : null;
}
