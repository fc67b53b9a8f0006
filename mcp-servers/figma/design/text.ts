import type { TypeStyle } from '@figma/rest-api-spec';
import { describePaints } from './paint.ts';
import { asId, asNumber, short, word } from './raw.ts';
import type { RawNode } from './raw.ts';

/** `Inter 700 32/40 spacing=-0.5 center upper underline`: family, weight, size/line height, what is not the usual. */
export function describeTextStyle(style: Partial<TypeStyle> | undefined): string {
  const { fontFamily, fontWeight, lineHeightPx, lineHeightUnit } = style ?? {};
  const size = asNumber(style?.fontSize);
  const line = lineHeightUnit === 'INTRINSIC_%' ? null : asNumber(lineHeightPx);
  const spacing = asNumber(style?.letterSpacing) ?? 0;
  const paragraph = asNumber(style?.paragraphSpacing) ?? 0;
  return [
    ...(typeof fontFamily === 'string' ? [fontFamily.slice(0, 80).replaceAll(/\s+/g, ' ')] : []),
    ...(asNumber(fontWeight) === null ? [] : [short(fontWeight!)]),
    ...(size === null ? [] : [short(size) + (line === null ? '' : `/${short(line)}`)]),
    ...(style?.italic === true ? ['italic'] : []),
    ...(spacing === 0 ? [] : [`spacing=${short(spacing)}`]),
    ...(paragraph === 0 ? [] : [`paragraph=${short(paragraph)}`]),
    ...unusual(style?.textAlignHorizontal, 'LEFT'),
    ...unusual(style?.textAlignVertical, 'TOP').map(align => `v-${align}`),
    ...unusual(style?.textCase, 'ORIGINAL'),
    ...unusual(style?.textDecoration, 'NONE'),
    ...(style?.textTruncation === 'ENDING' ? [`ellipsis${style.maxLines ? `=${short(style.maxLines)}` : ''}`] : []),
    ...describeLink(style),
  ].join(' ');
}

function unusual(value: unknown, usual: string): string[] {
  return typeof value === 'string' && value !== usual ? [word(value)] : [];
}

function describeLink(style: Partial<TypeStyle> | undefined): string[] {
  const { url, nodeID } = style?.hyperlink ?? {};
  return url === undefined && nodeID === undefined ? [] : [`link=${asId(url ?? nodeID)}`];
}

/**
 * The characters of a text. Where a part has a style of its own, it stands between `{x1}` and `{/}`, x1 being what
 * `refer` answers for its description; lines of lists begin with `- ` or `1. `.
 */
export function readText(node: RawNode, refer: (style: string) => string): string {
  const characters = typeof node.characters === 'string' ? node.characters : '';
  const given = Array.isArray(node.characterStyleOverrides) ? node.characterStyleOverrides : [];
  const overrides = given.map(id => asNumber(id) ?? 0);
  const table = node.styleOverrideTable ?? {};
  const marked = overrides.some(id => id !== 0) ? markRuns(characters, overrides, table, refer) : characters;
  return markLists(marked, Array.isArray(node.lineTypes) ? node.lineTypes : []);
}

function markRuns(
  characters: string,
  overrides: readonly number[],
  table: Readonly<Record<string, Partial<TypeStyle>>>,
  refer: (style: string) => string,
): string {
  let text = '';
  for (let start = 0; start < characters.length;) {
    const id = overrides[start] ?? 0;
    let end = start + 1;
    while (end < characters.length && (overrides[end] ?? 0) === id) end += 1;
    // Overrides end with the last character that has one.
    if (start >= overrides.length) end = characters.length;
    const run = characters.slice(start, end);
    const style = Object.hasOwn(table, String(id)) ? table[String(id)] : undefined;
    const fills = describePaints(style?.fills);
    const description = [describeTextStyle(style), ...(fills === '' ? [] : [`fill=${fills}`])].join(' ').trim();
    text += id === 0 || description === '' ? run : `{${refer(description)}}${run}{/}`;
    start = end;
  }
  return text;
}

function markLists(text: string, lineTypes: readonly unknown[]): string {
  if (!lineTypes.some(type => type === 'ORDERED' || type === 'UNORDERED')) return text;
  let number = 0;
  return text
    .split('\n')
    .map((line, index) => {
      const type = lineTypes[index];
      number = type === 'ORDERED' ? number + 1 : 0;
      return type === 'ORDERED' ? `${number}. ${line}` : type === 'UNORDERED' ? `- ${line}` : line;
    })
    .join('\n');
}
