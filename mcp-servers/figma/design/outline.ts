import type { Component, ComponentSet, Style } from '@figma/rest-api-spec';
import { AnswerTooLarge } from '../errors.ts';
import { describeSource } from './component.ts';
import { describeLine } from './line.ts';
import type { Line } from './line.ts';
import { hasImage } from './paint.ts';
import { asId, childrenOf, isNode, isVisible } from './raw.ts';
import type { RawNode } from './raw.ts';
import { isAutoLayout } from './layout.ts';
import { createStyleTable } from './styles.ts';
import type { StyleEntry } from './styles.ts';

/** What Figma's answers say beside the nodes, by id. */
export interface Legend {
  readonly components: Readonly<Record<string, Component>>;
  readonly componentSets: Readonly<Record<string, ComponentSet>>;
  readonly styles: Readonly<Record<string, Style>>;
}

export interface OutlineNode extends Line {
  /** Levels below its root. */
  readonly depth: number;
  /** One past the last node of its subtree. */
  readonly end: number;
}

/** A design as a list of lines: each node before its children, so that any subtree is a slice. */
export interface Outline {
  readonly nodes: readonly OutlineNode[];
  readonly byId: ReadonlyMap<string, number>;
  readonly styles: readonly StyleEntry[];
  /** What instances refer to: `"Size=Large" of "Button" key=…`. */
  readonly components: ReadonlyMap<string, string>;
  /** Nodes that cannot be seen, left out. */
  readonly hidden: number;
  /** Shapes within the drawings that stand as one SVG. */
  readonly merged: number;
}

/** Visible or not. They take a second, in which nobody else is answered; a file of Figma's largest has fewer in 32 MiB. */
const maxNodes = 200_000;

interface Seen {
  readonly raw: RawNode;
  readonly parent: number;
  readonly depth: number;
}

/**
 * Simplifies nodes of Figma's with all that is below them. Nothing here recurses: how deep a file goes is not
 * ours to choose. Throws AnswerTooLarge.
 */
export function createOutline(roots: readonly RawNode[], legend: Legend): Outline {
  const { seen, hidden } = flatten(roots);
  const { sizes, drawings } = measure(seen);
  const styles = createStyleTable(legend.styles);
  const nodes: (Line & { depth: number; end: number })[] = [];
  const byId = new Map<string, number>();
  const position = new Int32Array(seen.length + 1);
  for (let index = 0; index < seen.length;) {
    const { raw, parent, depth } = seen[index]!;
    const end = index + sizes[index]!;
    const merged = drawings[index] === 1 ? sizes[index]! - 1 : null;
    const line = describeLine(raw, parent === -1 ? null : seen[parent]!.raw, merged, styles);
    position[index] = nodes.length;
    if (!byId.has(line.id)) byId.set(line.id, nodes.length);
    nodes.push({ ...line, depth, end });
    const next = merged === null ? index + 1 : end;
    // A node within a drawing is where the next one outside begins.
    for (let within = index + 1; within < next; within += 1) position[within] = nodes.length;
    index = next;
  }
  position[seen.length] = nodes.length;
  for (const node of nodes) node.end = position[node.end]!;
  const merged = seen.length - nodes.length;
  return { nodes, byId, styles: styles.entries, components: describeComponents(nodes, legend), hidden, merged };
}

/** The visible nodes, each before its children. What is asked for by name stays, visible or not. */
function flatten(roots: readonly RawNode[]): { seen: Seen[]; hidden: number } {
  const seen: Seen[] = [];
  const childrenWithin = createCounter();
  let hidden = 0;
  const waiting: Seen[] = roots.map(raw => ({ raw, parent: -1, depth: 0 })).toReversed();
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const index = seen.push(next) - 1;
    for (const raw of childrenWithin(next.raw).toReversed()) {
      if (isVisible(raw)) waiting.push({ raw, parent: index, depth: next.depth + 1 });
      else hidden += count(raw, childrenWithin);
    }
  }
  return { seen, hidden };
}

/** childrenOf, as long as all that it has given out together is not too much. It throws AnswerTooLarge. */
function createCounter(): typeof childrenOf {
  let given = 0;
  return node => {
    given += Array.isArray(node.children) ? node.children.length : 0;
    if (given > maxNodes) throw new AnswerTooLarge(`${maxNodes} nodes`);
    return childrenOf(node);
  };
}

function count(root: RawNode, childrenWithin: typeof childrenOf): number {
  let nodes = 0;
  const waiting = [root];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    nodes += 1;
    for (const child of childrenWithin(next)) waiting.push(child);
  }
  return nodes;
}

const vectors = new Set(['VECTOR', 'BOOLEAN_OPERATION', 'STAR', 'LINE', 'REGULAR_POLYGON']);
const plainShapes = new Set(['RECTANGLE', 'ELLIPSE']);
const wrappers = new Set(['FRAME', 'GROUP', 'INSTANCE', 'COMPONENT', 'BOOLEAN_OPERATION', 'TRANSFORM_GROUP']);

/**
 * From the leaves up: how many nodes a subtree has, and which ones are drawings, made of nothing but shapes with
 * at least one vector among them. A model has no use for their paths; it takes the whole as SVG.
 */
function measure(seen: readonly Seen[]): { sizes: Int32Array; drawings: Uint8Array } {
  const sizes = new Int32Array(seen.length).fill(1);
  const children = new Int32Array(seen.length);
  const shapes = new Int32Array(seen.length);
  const withVector = new Uint8Array(seen.length);
  const drawings = new Uint8Array(seen.length);
  for (let index = seen.length - 1; index >= 0; index -= 1) {
    const { raw, parent } = seen[index]!;
    const type = raw.type ?? '';
    if (vectors.has(type)) withVector[index] = 1;
    const allShapes = children[index] === shapes[index];
    const leaf = children[index] === 0 && (vectors.has(type) || plainShapes.has(type));
    // A row of icons is layout, not one drawing.
    const whole = children[index]! > 0 && wrappers.has(type) && !(isAutoLayout(raw) && children[index]! > 1);
    const shape = !hasImage(raw.fills) && (leaf || (whole && allShapes));
    if (shape && withVector[index] === 1) drawings[index] = 1;
    if (parent === -1) continue;
    sizes[parent]! += sizes[index]!;
    children[parent]! += 1;
    if (shape) shapes[parent]! += 1;
    if (withVector[index] === 1) withVector[parent] = 1;
  }
  return { sizes, drawings };
}

function describeComponents(nodes: readonly Line[], { components, componentSets }: Legend): Map<string, string> {
  const described = new Map<string, string>();
  for (const { component } of nodes) {
    if (component === null || described.has(component) || !Object.hasOwn(components, component)) continue;
    const found = components[component];
    if (!isNode(found)) continue;
    const setId = asId((found as Component).componentSetId);
    const set = Object.hasOwn(componentSets, setId) ? componentSets[setId] : undefined;
    described.set(component, describeSource(found, set));
  }
  return described;
}
