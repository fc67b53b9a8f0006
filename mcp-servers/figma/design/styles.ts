import type { Style } from '@figma/rest-api-spec';
import { quoteName } from './raw.ts';

/** f: fills and strokes; t: text; x: a part of a text; e: effects. */
export type StyleKind = 'f' | 't' | 'x' | 'e';

export interface StyleEntry {
  /** `f1`: the same within one version of a file, whatever is asked of it. */
  readonly ref: string;
  /** Its name in the file, quoted; null for one that only happens to be used. */
  readonly name: string | null;
  readonly value: string;
}

export interface StyleTable {
  readonly entries: readonly StyleEntry[];
  /** Index of the entry for a value, made where there is none. `styleId` is what the node says it comes from. */
  refer(kind: StyleKind, value: string, styleId?: string): number;
}

/** A style of more than this is none that anybody has made. */
const maxValueLength = 2000;

/** Each style once, however many nodes have it. */
export function createStyleTable(named: Readonly<Record<string, Style>>): StyleTable {
  const entries: StyleEntry[] = [];
  const indexes = new Map<string, number>();
  const counts: Record<StyleKind, number> = { f: 0, t: 0, x: 0, e: 0 };
  return {
    entries,
    refer(kind, described, styleId) {
      const value = described.slice(0, maxValueLength);
      const style = styleId !== undefined && Object.hasOwn(named, styleId) ? named[styleId] : undefined;
      const name = typeof style?.name === 'string' ? quoteName(style.name) : null;
      const key = `${kind}\n${name ?? ''}\n${value}`;
      const known = indexes.get(key);
      if (known !== undefined) return known;
      counts[kind] += 1;
      const index = entries.push({ ref: `${kind}${counts[kind]}`, name, value }) - 1;
      indexes.set(key, index);
      return index;
    },
  };
}
