import type { Component, ComponentPropertyDefinition, ComponentSet } from '@figma/rest-api-spec';
import { aliasOf, asId, isNode, quoteName, word } from './raw.ts';
import type { RawNode } from './raw.ts';

const maxProperties = 40;

/** What a node has to do with components: the values an instance sets, what a component lets be set. */
export function describeComponent(node: RawNode): string[] {
  return [
    ...describeList('props', node.componentProperties, ({ value }) => describeValue(value)),
    ...describeList('defines', node.componentPropertyDefinitions, describeDefinition),
    ...describeList('bound', node.componentPropertyReferences, reference => quoteProperty(reference)),
  ];
}

function describeList<T>(name: string, values: Readonly<Record<string, T>> | undefined, show: (value: T) => string) {
  if (!isNode(values)) return [];
  const entries = Object.entries(values as Readonly<Record<string, T>>).filter(([, value]) => value !== null);
  if (entries.length === 0) return [];
  const shown = entries.slice(0, maxProperties).map(([key, value]) => `${quoteProperty(key)}:${show(value)}`);
  if (entries.length > maxProperties) shown.push(`… ${entries.length - maxProperties} more`);
  return [`${name}={${shown.join(', ')}}`];
}

function describeDefinition({ type, defaultValue, variantOptions }: ComponentPropertyDefinition): string {
  const options = Array.isArray(variantOptions) ? variantOptions.slice(0, maxProperties).map(quoteProperty) : [];
  return `${word(type)}${options.length === 0 ? '' : `(${options.join('|')})`}=${describeValue(defaultValue)}`;
}

const describeValue = (value: unknown): string => (typeof value === 'boolean' ? String(value) : quoteName(value));

/** Figma appends an id to names that need not be unique: `Label#12:3`. */
function quoteProperty(name: unknown): string {
  const plain = typeof name === 'string' ? name.replace(/#[\d:]+$/, '') : '';
  return /^[\w./-]{1,60}$/.test(plain) ? plain : quoteName(plain);
}

/** Variables that lengths and other single values of a node come from. Those of colors stand with their paint. */
export function describeVariables({ boundVariables }: RawNode): string[] {
  const bound = Object.entries(isNode(boundVariables) ? boundVariables : {}).flatMap(([name, value]) => {
    const id = aliasOf(value);
    return id === null ? [] : [`${asId(name)}:${id}`];
  });
  return bound.length === 0 ? [] : [`vars={${bound.slice(0, maxProperties).join(', ')}}`];
}

/** A component as instances refer to it: `"Size=Large" of "Button" key=…`. */
export function describeSource(component: Partial<Component>, set: Partial<ComponentSet> | undefined): string {
  const { name, key, description, remote } = component;
  return [
    quoteName(name),
    ...(typeof set?.name === 'string' ? [`of ${quoteName(set.name)}`] : []),
    ...(typeof key === 'string' ? [`key=${asId(key)}`] : []),
    ...(remote === true ? ['from a library'] : []),
    ...(typeof description === 'string' && description !== '' ? [`– ${quoteName(description)}`] : []),
  ].join(' ');
}
