import type { Outline } from './design/outline.ts';

/** What was read of one version of a file. */
export interface Drawing {
  readonly fileKey: string;
  readonly name: string;
  readonly version: string;
  readonly lastModified: string;
  /** It begins with the document itself. */
  readonly whole: boolean;
  /** How many levels below its roots were read; Infinity = all. */
  readonly levels: number;
  readonly outline: Outline;
  /** Size of Figma's JSON. */
  readonly rawBytes: number;
  /** When it was read, of Date.now(). */
  readonly readMs: number;
}

/** Null = the whole file. */
export type NodeIds = readonly string[] | null;

/** Drawings in memory, the least recently used forgotten first. */
export interface Drawings {
  /** Of a file, the latest read first. */
  of(fileKey: string): Drawing[];
  /** One that was read, and with it what it makes superfluous is forgotten. */
  keep(drawing: Drawing): void;
  /** It was of use just now. */
  touch(drawing: Drawing): void;
}

export function createDrawings(maxBytes: number): Drawings {
  // In the order of their last use.
  const kept = new Map<Drawing, number>();
  let total = 0;
  const forget = (drawing: Drawing) => {
    total -= kept.get(drawing) ?? 0;
    kept.delete(drawing);
  };
  return {
    of: fileKey =>
      [...kept.keys()].filter(drawing => drawing.fileKey === fileKey).toSorted((a, b) => b.readMs - a.readMs),
    keep(drawing) {
      for (const old of kept.keys()) {
        const sameFile = old.fileKey === drawing.fileKey;
        if (sameFile && (old.version !== drawing.version || covers(drawing, old))) forget(old);
      }
      const bytes = weigh(drawing.outline);
      if (bytes > maxBytes) return;
      kept.set(drawing, bytes);
      total += bytes;
      for (const oldest of kept.keys()) if (total > maxBytes) forget(oldest);
    },
    touch(drawing) {
      const bytes = kept.get(drawing);
      if (bytes === undefined) return;
      kept.delete(drawing);
      kept.set(drawing, bytes);
    },
  };
}

/** Where the nodes stand in a drawing, with enough levels below them; null when it does not have them all. */
export function locate({ outline, whole, levels }: Drawing, ids: NodeIds, depth: number): number[] | null {
  if (ids === null) return whole && levels >= depth ? [0] : null;
  const found = ids.map(id => outline.byId.get(id));
  const enough = found.every(index => index !== undefined && levels - outline.nodes[index]!.depth >= depth);
  return enough ? (found as number[]) : null;
}

function covers(drawing: Drawing, old: Drawing): boolean {
  const roots = old.outline.nodes.filter(({ depth }) => depth === 0).map(({ id }) => id);
  return locate(drawing, old.whole ? null : roots, old.levels) !== null;
}

/** About what it takes in memory: strings as they are, and what objects and map entries take beside them. */
function weigh({ nodes, styles, components }: Outline): number {
  let bytes = 0;
  for (const { words, text, id, uses } of nodes) {
    bytes += 250 + words.length + 2 * (text?.length ?? 0) + id.length + uses.length * 40;
  }
  for (const { value } of styles) bytes += 100 + value.length;
  for (const description of components.values()) bytes += 100 + description.length;
  return bytes;
}
