/** What GitHub says about a token's requests: how many, how many are left, and when it counts anew. */
export interface RateLimit {
  readonly limit: number;
  readonly remaining: number;
  /** ISO 8601. */
  readonly resetAt: string;
  /** Which of its limits: core, search, code_search, … */
  readonly resource?: string;
}

/** Below this share a model is told: soon it has to wait. */
const scarce = 0.1;
/** The end of the year 2099: no later time is meant in earnest. */
const latestS = 4_102_444_799;

type ReadHeader = (name: string) => string | null | undefined;

/** Null without the headers, or with ones that make no sense. */
export function readRateLimit(header: ReadHeader): RateLimit | null {
  const limit = count(header('x-ratelimit-limit'));
  const remaining = count(header('x-ratelimit-remaining'));
  const resetAt = readResetAt(header);
  if (limit === null || remaining === null || resetAt === null) return null;
  const resource = header('x-ratelimit-resource');
  const named = typeof resource === 'string' && /^\w{1,64}$/.test(resource);
  return { limit, remaining, resetAt, ...(named && { resource }) };
}

/** When the limit starts anew (ISO 8601); null when GitHub does not say so. */
export function readResetAt(header: ReadHeader): string | null {
  const resetS = count(header('x-ratelimit-reset'));
  return resetS === null || resetS > latestS ? null : new Date(resetS * 1000).toISOString();
}

/** Of two the one that is closer to its end. */
export function tighter(one: RateLimit | null, other: RateLimit | null): RateLimit | null {
  if (one === null || other === null) return one ?? other;
  return share(one) < share(other) ? one : other;
}

/** A sentence for the model when there is little left. */
export function warnOfLimit(rate: RateLimit): string | undefined {
  if (share(rate) >= scarce) return undefined;
  const which = rate.resource === undefined ? '' : ` for ${rate.resource}`;
  return `GitHub's rate limit${which} is nearly used up: ${rate.remaining} of ${rate.limit} requests are left until ${rate.resetAt}. Ask only for what is needed, or wait until then.`;
}

function share({ limit, remaining }: RateLimit): number {
  return remaining / Math.max(1, limit);
}

function count(value: string | null | undefined): number | null {
  return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : null;
}
