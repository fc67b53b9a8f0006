import { z } from 'zod';

const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const whole = /^(\d+(\.\d+)?(ms|s|m|h|d|w))+$/;
/** More than any sensible duration has, and little enough to match. */
const longestText = 64;
const longestMs = 10 * 365 * unitMs['d']!;

/**
 * Milliseconds of a duration such as `90s`, `2h` or `1h30m`; null when the text is none.
 * Units: ms, s, m, h, d, w.
 */
export function durationMs(text: string): number | null {
  if (text.length > longestText || !whole.test(text)) return null;
  let sum = 0;
  for (const [, amount, , unit] of text.matchAll(/(\d+(\.\d+)?)(ms|s|m|h|d|w)/g)) {
    sum += Number(amount) * unitMs[unit!]!;
  }
  return sum;
}

/** A lease's length as people write it. */
export const ttl = z
  .string()
  .max(longestText, { abort: true })
  .refine(text => {
    const ms = durationMs(text);
    return ms !== null && ms >= 1000 && ms <= longestMs;
  }, 'must be a duration of 1s to 10 years, such as "90s", "2h" or "1h30m"');
