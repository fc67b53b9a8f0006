import { findReason, isOwnFault } from '../tool/silence.ts';
import type { RateLimit } from './limits.ts';

/** Figma refused a request. */
export class FigmaRefusal extends Error {
  override readonly name = 'FigmaRefusal';
  readonly status: number;

  /** `reason` in Figma's words, of one line and bounded length. */
  constructor(status: number, reason: string) {
    super(reason);
    this.status = status;
  }
}

/** Figma has told to wait, now or at an earlier call. */
export class RateLimited extends Error {
  override readonly name = 'RateLimited';
  readonly limit: RateLimit;

  constructor(limit: RateLimit) {
    super('rate limited');
    this.limit = limit;
  }
}

/** What came is not what was promised; the message says what. */
export class UnreadableAnswer extends Error {
  override readonly name = 'UnreadableAnswer';
}

/** More than this server is willing to hold. */
export class AnswerTooLarge extends Error {
  override readonly name = 'AnswerTooLarge';
  /** Such as `32 MiB`. */
  readonly limit: string;

  constructor(limit: string) {
    super(`over ${limit}`);
    this.limit = limit;
  }
}

/** What was asked for cannot be had; the message, for the model, says why and what to do. */
export class CannotDo extends Error {
  override readonly name = 'CannotDo';
}

/** A sentence for the model or the person behind it: what happened and what to do next. */
export function explainFailure(error: unknown, nowMs: number): string {
  if (error instanceof CannotDo) return error.message;
  if (error instanceof RateLimited) return explainLimit(error.limit, nowMs);
  if (error instanceof FigmaRefusal) return explainRefusal(error);
  if (error instanceof UnreadableAnswer) return `${error.message} Try again; if it stays so, ask for less at a time.`;
  if (error instanceof AnswerTooLarge) {
    return `Figma's answer has over ${error.limit}, too much to read at once. Ask for less: a depth of 1 or 2 first, then single nodes by nodeId.`;
  }
  return explainSilence(error);
}

function explainRefusal({ status, message }: FigmaRefusal): string {
  switch (status) {
    case 400:
    case 422:
      return `Figma did not accept the arguments (${status}: ${message}). Correct them and try again; where a request was too large, ask for fewer nodes.`;
    case 401:
      return refuseToken(status, message);
    case 403:
      return explainForbidden(message);
    case 404:
      return 'Figma found nothing there (404). Check the file key, node and comment ids; a file that the token may not see also looks like this.';
    default:
      if (status >= 500) {
        return `Figma has a problem of its own (${status}). Try again in a minute, with fewer or smaller nodes if it was a large request; status.figma.com says more.`;
      }
      return `Figma refused the request (${status}: ${message}).`;
  }
}

function explainForbidden(message: string): string {
  if (/invalid token|token expired|expired token/i.test(message)) return refuseToken(403, message);
  if (/scope/i.test(message)) {
    return `The token lacks a scope for this (403: ${message}). Make a personal access token with that scope in Figma's settings and store it with PUT /api/v1/api-keys/<name> of MiniMCP.`;
  }
  return `The token may not do this (403: ${message}). Its user needs access to the file or team, and the token the scope for this request.`;
}

function refuseToken(status: number, message: string): string {
  return `Figma refused the token (${status}: ${message}). It is wrong, expired or revoked: make a new personal access token in Figma's settings and store it with PUT /api/v1/api-keys/<name> of MiniMCP.`;
}

function explainLimit({ tier, until, plan, seat, upgradeLink, remembered }: RateLimit, nowMs: number): string {
  const waitS = Math.max(1, Math.ceil((until - nowMs) / 1000));
  const who = [
    ...(plan === null ? [] : [`plan ${plan}`]),
    ...(seat === 'low' ? ['a View or Collab seat, or a file in a Starter plan'] : []),
    ...(seat === 'high' ? ['a Dev or Full seat'] : []),
  ].join(', ');
  return [
    `Figma's rate limit for Tier ${tier} requests is used up (429${who === '' ? '' : `; ${who}`}).`,
    `Wait ${waitS} s, until ${new Date(until).toISOString()}.`,
    remembered
      ? 'Figma was not asked: it has said so before.'
      : 'Until then such requests are answered here, without asking Figma.',
    ...(tier === 1 ? ['What was read before is still there: ask get_figma_data for it again.'] : []),
    ...(upgradeLink === null ? [] : [`More requests: ${upgradeLink}`]),
  ].join(' ');
}

function explainSilence(error: unknown): string {
  const reason = findReason(error);
  const { name, message, code } = reason;
  if (name === 'TimeoutError') {
    return 'Figma did not answer in time. Try again, or ask for less at a time: a depth, single nodes, fewer images.';
  }
  const why = typeof code === 'string' ? code : (message ?? 'no reason given').replaceAll(/\s+/g, ' ').slice(0, 500);
  if (isOwnFault(reason)) {
    return `MiniMCP could not read what Figma answered (${why}). Try again; if it stays so, it is a fault of MiniMCP: ask for other nodes, and report it.`;
  }
  return `Figma could not be reached (${why}). Check the network and the base URL, then try again.`;
}
