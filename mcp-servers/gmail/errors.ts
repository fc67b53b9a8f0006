import { findReason, isOwnFault } from '../tool/silence.ts';
import { BadArgument, shorten, TokenFailure, UnreadableAnswer } from './failure.ts';
import type { Refusal } from './failure.ts';
import { explainTokenFailure } from './token-errors.ts';

/** A sentence for the model or the person behind it: what happened and what to do next. */
export function explainFailure(error: unknown, nowMs: number): string {
  if (error instanceof BadArgument) return error.message;
  const unreadable = findCause(error, UnreadableAnswer);
  if (unreadable !== null) return `${unreadable.message} Try again; if it stays so, ask for less at a time.`;
  if (error instanceof TokenFailure) {
    const refusal = findRefusal(error.cause);
    return refusal === null
      ? explainSilence(error.cause, "Google's token endpoint")
      : explainTokenFailure(error, refusal);
  }
  const refusal = findRefusal(error);
  return refusal === null ? explainSilence(error, 'Gmail') : explainRefusal(refusal, nowMs);
}

/** The vendor has certainly done nothing. */
export function isRefused(error: unknown): boolean {
  if (error instanceof TokenFailure || error instanceof BadArgument) return true;
  const refusal = findRefusal(error);
  return refusal !== null && refusal.status >= 400 && refusal.status < 500;
}

/** What was just listed is no longer there. */
export function isGone(error: unknown): boolean {
  return findRefusal(error)?.status === 404;
}

function findCause<T extends Error>(error: unknown, type: new (message: string) => T): T | null {
  for (let each = error; each instanceof Error; each = each.cause) if (each instanceof type) return each;
  return null;
}

function findRefusal(error: unknown): Refusal | null {
  const { response, message } = error as {
    message: string;
    response?: { status: number; headers: Headers; data?: unknown };
  };
  if (response === undefined) return null;
  const { status, headers, data } = response;
  return { status, headers, data, message };
}

function explainRefusal(refusal: Refusal, nowMs: number): string {
  const { status } = refusal;
  const said = readRefusal(refusal);
  switch (status) {
    case 400:
      return `Gmail did not accept the arguments (400: ${said.message}). Correct them and try again.`;
    case 401:
      return `Gmail refused the access token (401: ${said.message}), a fresh one too: the api key was revoked or its account is locked. Make new credentials and store them with PUT /api/v1/api-keys/<name> of MiniMCP.`;
    case 403:
    case 429:
      return explainForbidden(refusal, said, nowMs);
    case 404:
      return 'Gmail found nothing there (404). Check the id: it may have been deleted, sent or belong to another mailbox. search_threads and list_drafts show the present ids.';
    case 409:
      return `Gmail reports a conflict (409: ${said.message}). Read the present state again and repeat the change on it.`;
    case 412:
    case 422:
      return `Gmail cannot do this in the present state (${status}: ${said.message}). Read it again, correct the arguments and try again.`;
    case 413:
      return 'This is too large for Gmail (413). Send less, or a link in place of an attachment.';
    default:
      if (status >= 500) {
        return `Gmail has a problem of its own (${status}). Try again in a minute; google.com/appsstatus says more.`;
      }
      return `Gmail refused the request (${status}: ${said.message}).`;
  }
}

interface Said {
  readonly message: string;
  /** The reason of the first error and those of the details, in Google's two styles. */
  readonly reasons: readonly string[];
}

const matches = ({ reasons }: Said, ...wanted: string[]) => wanted.some(reason => reasons.includes(reason));

function explainForbidden(refusal: Refusal, said: Said, nowMs: number): string {
  const { status } = refusal;
  if (matches(said, 'dailyLimitExceeded', 'quotaExceeded')) {
    return `The quota of the Google Cloud project for today is used up (${status}: ${said.message}). It starts anew at midnight, Pacific time; its owner can ask for more in the Cloud console under Quotas.`;
  }
  if (status === 429 || matches(said, 'rateLimitExceeded', 'userRateLimitExceeded', 'RATE_LIMIT_EXCEEDED')) {
    return `Gmail asks for fewer requests (${status}: ${said.message}). Wait ${readWait(refusal.headers, nowMs)} and ask for less at a time.`;
  }
  if (matches(said, 'insufficientPermissions', 'ACCESS_TOKEN_SCOPE_INSUFFICIENT')) {
    return `The api key's scopes do not allow this (${status}: ${said.message}). Reading needs gmail.readonly; labels, drafts, sending and trash need gmail.modify: make a refresh token with that scope and store it with PUT /api/v1/api-keys/<name> of MiniMCP.`;
  }
  if (matches(said, 'domainPolicy')) {
    return `The administrator of this Google Workspace does not allow it (${status}: ${said.message}). Ask the administrator to allow the Gmail API for this app.`;
  }
  if (matches(said, 'accessNotConfigured', 'SERVICE_DISABLED')) {
    return `The Gmail API is not enabled in the Google Cloud project of these credentials (${status}). Enable it in the Cloud console under APIs & Services, and try again after some minutes.`;
  }
  return `This account may not do this (${status}: ${said.message}). If the instance's config names a user, it must be the mailbox of the api key.`;
}

function readRefusal({ data, message }: Refusal): Said {
  const { error } = (typeof data === 'object' && data !== null ? data : {}) as { error?: unknown };
  const { errors, details, ...said } = (typeof error === 'object' && error !== null ? error : {}) as {
    message?: unknown;
    errors?: unknown;
    details?: unknown;
  };
  const listed = [errors, details].flatMap(list => (Array.isArray(list) ? (list as unknown[]) : []));
  const reasons = listed.map(each => (each as { reason?: unknown } | null)?.reason);
  const text = typeof said.message === 'string' ? said.message : typeof data === 'string' ? 'no explanation' : message;
  return { message: shorten(text), reasons: reasons.filter(reason => typeof reason === 'string') };
}

/** Retry-After comes in seconds or as a date. */
function readWait(headers: Headers, nowMs: number): string {
  const value = headers.get('retry-after');
  if (value === null) return 'a minute';
  const seconds = /^\d+$/.test(value) ? Number(value) : Math.ceil((Date.parse(value) - nowMs) / 1000);
  return Number.isFinite(seconds) ? `${Math.max(1, seconds)} s` : 'a minute';
}

function explainSilence(error: unknown, who: string): string {
  const reason = findReason(error);
  const { name, message, code } = reason;
  if (name === 'TimeoutError') return `${who} did not answer in time. Try again, or ask for less at a time.`;
  const why = shorten(String(typeof code === 'string' ? code : (message ?? error)));
  if (isOwnFault(reason)) {
    return `MiniMCP could not read what ${who} answered (${why}). Try again; if it stays so, it is a fault of MiniMCP: leave this one out, and report it.`;
  }
  return `${who} could not be reached (${why}). Check the network, then try again.`;
}
