import type { ComponentNode, InstanceNode, TextNode } from '@figma/rest-api-spec';

/** As Figma describes it, but nothing is taken on trust: any field may be missing. */
type Loose<T> = { readonly [Key in keyof T]?: T[Key] | undefined };
type Fields<T> = Loose<Omit<T, 'children' | 'type' | 'id' | 'name'>>;

/** A node of a file, of whatever type; the fields of all types at once. */
export interface RawNode extends Fields<ComponentNode & Omit<InstanceNode, 'type'> & Omit<TextNode, 'type'>> {
  readonly id?: string;
  readonly name?: string;
  readonly type?: string;
  readonly children?: readonly RawNode[] | undefined;
  /** Of connectors, in FigJam. */
  readonly connectorStart?: { readonly endpointNodeId?: unknown };
  readonly connectorEnd?: { readonly endpointNodeId?: unknown };
}

const maxNameLength = 120;

export function isNode(value: unknown): value is RawNode {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function childrenOf({ children }: RawNode): readonly RawNode[] {
  return Array.isArray(children) ? children.filter(isNode) : [];
}

export const isVisible = ({ visible }: { readonly visible?: boolean | undefined }): boolean => visible !== false;

/** A finite number, else null. */
export const asNumber = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null;

/** At most two decimals: pixels need no more. */
export const short = (value: number): string => String(Math.round(value * 100) / 100);

/** A constant such as SPACE_BETWEEN, in lower case with hyphens. */
export const word = (value: unknown): string =>
  typeof value === 'string'
    ? value
        .slice(0, 40)
        .toLowerCase()
        .replaceAll(/[^a-z0-9]+/g, '-')
    : '';

/** In quotes, on one line, cut to a name's length. */
export function quoteName(value: unknown): string {
  const name = typeof value === 'string' ? value : '';
  return JSON.stringify(name.length > maxNameLength ? `${name.slice(0, maxNameLength)}…` : name);
}

/** An id, key or reference as it stands, without what could end its line. */
export const asId = (value: unknown): string =>
  typeof value === 'string' ? value.slice(0, 200).replaceAll(/[\s"]+/g, '_') : '';

/** `VariableID:1:2` of an alias, else null. */
export function aliasOf(value: unknown): string | null {
  if (!isNode(value)) return null;
  return value.type === 'VARIABLE_ALIAS' && typeof value.id === 'string' ? asId(value.id) : null;
}

/** A list that may be none. */
export const listOf = <T>(value: readonly T[] | null | undefined): readonly T[] =>
  Array.isArray(value) ? (value as readonly T[]).filter(each => typeof each === 'object' && each !== null) : [];

/** A text whose type is only promised; empty for what is none. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
}
