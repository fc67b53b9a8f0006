/** What an Octokit RequestError carries, structurally: the class itself is loaded only with Octokit. */
interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly response?: {
    readonly headers: Record<string, string | number | undefined>;
    readonly data?: { message?: unknown; errors?: unknown } | undefined;
  };
}

/** GitHub answered with something that is not what its API promises. */
export class UnreadableAnswer extends Error {
  override readonly name = 'UnreadableAnswer';
}

/** A sentence for the model or the person behind it: what happened and what to do next. */
export function explainFailure(error: unknown, nowMs: number): string {
  if (error instanceof UnreadableAnswer) return `${error.message} Try again; if it stays so, ask for less at a time.`;
  const refusal = findRefusal(error);
  return refusal === null ? explainSilence(error) : explainRefusal(refusal, nowMs);
}

function findRefusal(error: unknown): Refusal | null {
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
      return 'GitHub found nothing there (404). Check owner, repository, number and path; a private repository also looks like this when the token may not see it.';
    case 409:
      return `GitHub reports a conflict (409: ${reason}). Read the present state again and repeat the change on it.`;
    case 410:
      return `This is gone or switched off (410: ${reason}).`;
    case 422:
      return `GitHub did not accept the arguments (422: ${reason}). Correct them and try again.`;
    default:
      if (refusal.status >= 500) {
        return `GitHub has a problem of its own (${refusal.status}). Try again in a minute; githubstatus.com says more.`;
      }
      return `GitHub refused the request (${refusal.status}: ${reason}).`;
  }
}

/** Null when the refusal is no rate limit. */
function explainLimit({ status, response }: Refusal, nowMs: number): string | null {
  const headers = response?.headers ?? {};
  const retryAfterS = Number(headers['retry-after']);
  const resetS = Number(headers['x-ratelimit-reset']);
  if (String(headers['x-ratelimit-remaining']) === '0' && Number.isFinite(resetS)) {
    const inS = Math.max(0, Math.ceil(resetS - nowMs / 1000));
    return `GitHub's rate limit for this token is used up (${status}). It starts anew at ${new Date(resetS * 1000).toISOString()}, in ${inS} s: wait until then.`;
  }
  const said = response?.data?.message;
  const secondary = typeof said === 'string' && /rate limit/i.test(said);
  if (!secondary && status !== 429 && !Number.isFinite(retryAfterS)) return null;
  const wait = Number.isFinite(retryAfterS) ? `${retryAfterS} s` : 'a minute';
  return `GitHub asks for fewer requests (${status}, secondary rate limit). Wait ${wait} and ask less often.`;
}

function explainForbidden({ response }: Refusal, reason: string): string {
  const needed = response?.headers['x-accepted-github-permissions'];
  const sso = response?.headers['x-github-sso'] !== undefined;
  const hint = sso
    ? 'Authorize the token for single sign-on of this organization.'
    : `Give the token the permission${needed === undefined ? ' it lacks' : ` it lacks (${needed})`}.`;
  return `The token may not do this (403: ${reason}). ${hint}`;
}

function explainSilence(error: unknown): string {
  let cause = error;
  // Octokit wraps fetch, which wraps the socket's error: the innermost says what happened.
  while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause;
  const { name, message, code } = cause as { name?: string; message?: string; code?: string };
  if (name === 'TimeoutError') return 'GitHub did not answer in time. Try again, or ask for less at a time.';
  return `GitHub could not be reached (${code ?? message ?? String(error)}). Check the network and the base URL, then try again.`;
}

/** GitHub's message with its list of errors, without newlines and of bounded length. */
function reasonOf({ message, response }: Refusal): string {
  const { message: said, errors } = response?.data ?? {};
  const list = Array.isArray(errors)
    ? errors.map(each => (typeof each === 'string' ? each : JSON.stringify(each)))
    : [];
  const reason = [typeof said === 'string' ? said : message, ...list].join('; ');
  return reason.replaceAll(/\s+/g, ' ').slice(0, 500);
}
