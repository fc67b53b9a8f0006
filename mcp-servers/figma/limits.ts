/** Figma's classes of endpoints, each with a limit of its own: 1 is the dearest. */
export type Tier = 1 | 2 | 3;

export interface RateLimit {
  readonly tier: Tier;
  /** Milliseconds of Date.now(). */
  readonly until: number;
  readonly plan: string | null;
  /** `low`: View and Collab seats, some six Tier 1 requests a month; `high`: Dev and Full. */
  readonly seat: 'low' | 'high' | null;
  readonly upgradeLink: string | null;
  /** It was known before: Figma has not been asked again. */
  readonly remembered: boolean;
}

/** What Figma has told to wait for. */
export interface Limits {
  /** The limit that a request to a file or team would run into. */
  find(tier: Tier, resource: string, nowMs: number): RateLimit | null;
  remember(limit: RateLimit, resource: string, nowMs: number): void;
}

/**
 * Limits hold for the plan that a file lives in, which nobody tells. The short ones are those of a minute: they
 * are taken for all files. One of days is that of a Starter plan or a View seat, and is held for its file alone,
 * or a file of another plan would be locked out with it.
 */
const sharedWaitMs = 10 * 60_000;
/** No Retry-After: Figma's own advice. */
const defaultWaitS = 60;
const longestWaitS = 31 * 24 * 3600;
/** Enough for every file of a day; the oldest goes. */
const maxRemembered = 1000;

export function createLimits(): Limits {
  const limits = new Map<string, RateLimit>();
  const keyOf = (tier: Tier, resource: string) => `${tier}:${resource}`;
  return {
    find(tier, resource, nowMs) {
      const found = [limits.get(keyOf(tier, '*')), limits.get(keyOf(tier, resource))];
      const limit = found.find(each => each !== undefined && each.until > nowMs);
      return limit === undefined ? null : { ...limit, remembered: true };
    },
    remember(limit, resource, nowMs) {
      const key = keyOf(limit.tier, limit.until - nowMs > sharedWaitMs ? resource : '*');
      limits.delete(key);
      limits.set(key, limit);
      const oldest = limits.keys().next().value;
      if (limits.size > maxRemembered && oldest !== undefined) limits.delete(oldest);
    },
  };
}

export function readLimit(tier: Tier, headers: { get(name: string): string | null }, nowMs: number): RateLimit {
  const seat = headers.get('x-figma-rate-limit-type');
  const plan = headers.get('x-figma-plan-tier');
  return {
    tier,
    until: nowMs + readWaitS(headers.get('retry-after'), nowMs) * 1000,
    plan: plan !== null && /^[\w -]{1,40}$/.test(plan) ? plan : null,
    seat: seat === 'low' || seat === 'high' ? seat : null,
    upgradeLink: readLink(headers.get('x-figma-upgrade-link')),
    remembered: false,
  };
}

function readWaitS(text: string | null, nowMs: number): number {
  if (text === null) return defaultWaitS;
  const seconds = /^\d+$/.test(text.trim()) ? Number(text) : (Date.parse(text) - nowMs) / 1000;
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 1), longestWaitS) : defaultWaitS;
}

function readLink(text: string | null): string | null {
  if (text === null || text.length > 300 || !URL.canParse(text)) return null;
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' && /(^|\.)figma\.com$/.test(hostname) ? text : null;
}
