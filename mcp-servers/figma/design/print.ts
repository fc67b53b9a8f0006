import type { Outline } from './outline.ts';

export interface View {
  /** Indexes of the nodes to show with what is below them. */
  readonly roots: readonly number[];
  /** Levels below the roots; Infinity = all. */
  readonly depth: number;
  /** How many children of the roots to leave out at their beginning. */
  readonly offset: number;
  readonly maxNodes: number;
  /** Of the whole print, in UTF-8. */
  readonly maxBytes: number;
  /** Longer texts are cut. */
  readonly maxTextLength: number;
}

export interface Print {
  readonly text: string;
  /** Nodes in it, and all that the roots have within the outline, from the offset on. */
  readonly shown: number;
  readonly total: number;
}

/** A node that is shown. */
interface Shown {
  readonly indent: number;
  readonly parent: number;
  children: number;
  shownChildren: number;
}

/** What a " (+N inside)" takes. */
const markBytes = 18;
/** For the one "… more children" and the headings. */
const reserveBytes = 240;

/**
 * The upper levels first, as far as the limits go, so that what does not fit is below and can be asked for by
 * its id; then printed in order, with a mark wherever something is left out.
 */
export function printOutline(outline: Outline, view: View): Print {
  const { nodes } = outline;
  const shown = choose(outline, view);
  const indexes = [...shown.keys()].toSorted((a, b) => a - b);
  const inline = countUses(outline, indexes);
  const lines: string[] = [];
  const open: number[] = [];
  const closeUntil = (index: number) => {
    while (open.length > 0 && nodes[open.at(-1)!]!.end <= index) markRest(lines, outline, open.pop()!, shown, view);
  };
  for (const index of indexes) {
    closeUntil(index);
    const { indent, shownChildren } = shown.get(index)!;
    const inside = nodes[index]!.end - index - 1;
    const mark = shownChildren === 0 && inside > 0 ? ` (+${inside} inside)` : '';
    lines.push('  '.repeat(indent) + writeLine(outline, index, view, inline) + mark);
    if (shownChildren > 0) open.push(index);
  }
  closeUntil(nodes.length);
  const unseen = view.roots.filter(root => !shown.has(root)).map(root => nodes[root]!.id);
  if (unseen.length > 0) lines.push(`… not shown: nodeId=${unseen.join(',')}`);
  const total = view.roots.reduce((sum, root) => sum + nodes[root]!.end - skip(outline, root, view.offset) + 1, 0);
  return {
    text: [...writeStyles(outline, indexes, inline), ...writeComponents(outline, indexes), 'nodes:', ...lines].join(
      '\n',
    ),
    shown: indexes.length,
    total,
  };
}

function choose({ nodes, styles, components }: Outline, view: View): Map<number, Shown> {
  const shown = new Map<number, Shown>();
  const paid = new Set<string>();
  let left = view.maxBytes - reserveBytes;
  // At its dearest a style stands in the table: with its reference at the node, and its mark at the end.
  const price = (key: string, text: string): number => {
    if (paid.has(key)) return 0;
    paid.add(key);
    return Buffer.byteLength(text) + 24;
  };
  const queue: { index: number; parent: number; indent: number }[] = view.roots.map(index => ({
    index,
    parent: -1,
    indent: 0,
  }));
  for (let at = 0; at < queue.length && shown.size < view.maxNodes; at += 1) {
    const { index, parent, indent } = queue[at]!;
    const node = nodes[index]!;
    let cost = indent * 2 + Buffer.byteLength(node.words) + 2;
    if (node.text !== null) cost += Buffer.byteLength(writeText(node.text, view.maxTextLength)) + 10;
    if (node.end > index + 1) cost += markBytes;
    for (const { name, style } of node.uses) cost += name.length + 8 + price(styles[style]!.ref, describe(style));
    for (const style of node.textStyles) cost += price(styles[style]!.ref, describe(style));
    const component = node.component === null ? undefined : components.get(node.component);
    if (component !== undefined) cost += price(`#${node.component}`, `${node.component} ${component}`);
    // The first node is shown whatever it costs: an empty answer helps nobody.
    if (cost > left && shown.size > 0) break;
    left -= cost;
    const place: Shown = { indent, parent, children: 0, shownChildren: 0 };
    shown.set(index, place);
    if (parent !== -1) {
      const above = shown.get(parent)!;
      // With the first child the parent's mark goes.
      if (above.shownChildren === 0) left += markBytes;
      above.shownChildren += 1;
    }
    if (indent >= view.depth) continue;
    const skipped = parent === -1 ? view.offset : 0;
    for (let child = index + 1; child < node.end; child = nodes[child]!.end) {
      place.children += 1;
      if (place.children > skipped) queue.push({ index: child, parent: index, indent: indent + 1 });
    }
  }
  return shown;

  function describe(style: number): string {
    const { name, value } = styles[style]!;
    return `${name ?? ''}${value}`;
  }
}

/** Where the children of a node go on after the first `count` of them. */
function skip({ nodes }: Outline, index: number, count: number): number {
  const { end } = nodes[index]!;
  let next = index + 1;
  for (let skipped = 0; skipped < count && next < end; skipped += 1) next = nodes[next]!.end;
  return next;
}

/** Says which children of a node are missing, where some of them are there. */
function markRest(lines: string[], outline: Outline, index: number, shown: ReadonlyMap<number, Shown>, view: View) {
  const { indent, parent, children, shownChildren } = shown.get(index)!;
  const offset = shownChildren + (parent === -1 ? view.offset : 0);
  if (offset >= children) return;
  const { id, end } = outline.nodes[index]!;
  const next = skip(outline, index, offset);
  lines.push(
    `${'  '.repeat(indent + 1)}… ${children - offset} more children (${end - next} nodes): nodeId=${id} offset=${offset}`,
  );
}

/** How many of the shown nodes use each style. */
function countUses({ nodes, styles }: Outline, indexes: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const index of indexes) {
    for (const { style } of nodes[index]!.uses) counts.set(style, (counts.get(style) ?? 0) + 1);
  }
  // Those of text parts are referred to from within the text, and named ones are worth their line.
  for (const [style] of counts) if (styles[style]!.name !== null) counts.set(style, Infinity);
  return counts;
}

function writeLine({ nodes, styles }: Outline, index: number, view: View, uses: ReadonlyMap<number, number>): string {
  const node = nodes[index]!;
  const used = node.uses.map(({ name, style }) => {
    const { ref, value } = styles[style]!;
    const once = uses.get(style) === 1;
    return `${name}=${once ? (value.includes(' ') ? `[${value}]` : value) : ref}`;
  });
  const text = node.text === null ? [] : [`text=${writeText(node.text, view.maxTextLength)}`];
  return [node.words, ...used, ...text].join(' ');
}

function writeText(text: string, maxLength: number): string {
  if (text.length <= maxLength) return JSON.stringify(text);
  return `${JSON.stringify(text.slice(0, maxLength))}[${maxLength} of ${text.length} characters]`;
}

function writeStyles({ nodes, styles }: Outline, indexes: readonly number[], uses: ReadonlyMap<number, number>) {
  const listed = new Set(indexes.flatMap(index => nodes[index]!.textStyles));
  for (const [style, count] of uses) if (count > 1) listed.add(style);
  if (listed.size === 0) return [];
  const lines = [...listed]
    .toSorted((a, b) => a - b)
    .map(style => {
      const { ref, name, value } = styles[style]!;
      return `  ${ref}${name === null ? '' : ` ${name}`}: ${value}`;
    });
  return ['styles:', ...lines];
}

function writeComponents({ nodes, components }: Outline, indexes: readonly number[]): string[] {
  const used = new Set(indexes.map(index => nodes[index]!.component));
  const lines = [...components].filter(([id]) => used.has(id)).map(([id, described]) => `  #${id} ${described}`);
  return lines.length === 0 ? [] : ['components:', ...lines];
}
