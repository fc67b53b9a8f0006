import { builtinTypes } from '../../specs/type.ts';
import type { ServerType } from '../../specs/type.ts';

/**
 * Every server type, by name. Types that users register (table `types`) will join here; until then a
 * look-up needs no query, but is asynchronous so that its callers will not change.
 */
export async function readTypes(): Promise<ServerType[]> {
  return [...builtinTypes.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** The server type of that name; null when there is none. */
export async function findType(name: string): Promise<ServerType | null> {
  return builtinTypes.get(name) ?? null;
}
