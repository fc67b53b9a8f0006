import { z } from 'zod';
import { ApiProblem } from './problem.ts';

/** Opaque to clients: where the next page begins. */
export function writeCursor(position: unknown): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

/** Throws 400 for a text that no page of this list gave out. */
export function readCursor<T>(schema: z.ZodType<T>, cursor: string): T {
  try {
    return schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()));
  } catch {
    throw new ApiProblem('InvalidRequest', 'this cursor is not of this list; begin without one', {
      errors: [{ pointer: '?cursor', message: 'must be the nextCursor of a page of this list' }],
    });
  }
}

/** A page of rows of which one more than `limit` was read, to know whether there is another page. */
export function toPage<Row, Item>(
  rows: readonly Row[],
  limit: number,
  toItem: (row: Row) => Item,
  position: (row: Row) => unknown,
): { items: Item[]; nextCursor: string | null } {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const hasMore = rows.length > limit && last !== undefined;
  return { items: page.map(toItem), nextCursor: hasMore ? writeCursor(position(last)) : null };
}

/** The position in lists that are ordered by name. */
export const nameCursor = z.string().regex(/^[-a-z0-9]{1,63}$/);
