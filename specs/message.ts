import { z } from 'zod';

/** Longer than any sentence, and some lines of a server's last words. */
const longest = 4_000;

/**
 * Words of somebody else's, a server's or an installer's, as part of a message: without what no terminal should
 * get and PostgreSQL does not store (NUL, half a surrogate pair), and of bounded length.
 */
export function toMessage(words: string): string {
  const plain = words.toWellFormed().replaceAll(/(?![\n\t])\p{Cc}/gu, '\u{fffd}');
  return plain.length <= longest ? plain : `${plain.slice(0, longest).toWellFormed()}…`;
}

export const message = z.string().transform(toMessage);
