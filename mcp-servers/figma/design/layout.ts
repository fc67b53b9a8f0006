import { asNumber, short, word } from './raw.ts';
import type { RawNode } from './raw.ts';

const modes: Readonly<Record<string, string>> = { HORIZONTAL: 'row', VERTICAL: 'column', GRID: 'grid' };

export const isAutoLayout = ({ layoutMode }: RawNode): boolean =>
  typeof layoutMode === 'string' && Object.hasOwn(modes, layoutMode);

/** How a node places its children, in CSS's words: `column wrap gap=8 padding=16,24 justify=center align=end`. */
export function describeContainer(node: RawNode): string[] {
  const scroll = word(node.overflowDirection).replace(/-scrolling$/, '');
  const scrolls = scroll === '' || scroll === 'none' ? [] : [`scroll=${scroll.replace('-and-', '+')}`];
  const pinned = word(node.scrollBehavior);
  if (pinned === 'fixed' || pinned === 'sticky-scrolls') scrolls.push(`scrolls=${pinned.replace('-scrolls', '')}`);
  if (!isAutoLayout(node)) return scrolls;
  return [
    modes[node.layoutMode!]!,
    ...(node.layoutWrap === 'WRAP' ? ['wrap'] : []),
    ...describeGaps(node),
    ...describePadding(node),
    ...(node.layoutMode === 'GRID' ? describeGrid(node) : describeAxes(node)),
    ...scrolls,
  ];
}

function describeGaps(node: RawNode): string[] {
  const grid = node.layoutMode === 'GRID';
  const main = asNumber(grid ? node.gridRowGap : node.itemSpacing) ?? 0;
  const cross = asNumber(grid ? node.gridColumnGap : node.counterAxisSpacing) ?? (grid ? 0 : main);
  // With space-between the gap is what is left over.
  if (!grid && node.primaryAxisAlignItems === 'SPACE_BETWEEN' && node.layoutWrap !== 'WRAP') return [];
  if (main === 0 && cross === 0) return [];
  const two = grid || node.layoutWrap === 'WRAP';
  return [two && main !== cross ? `gap=${short(main)},${short(cross)}` : `gap=${short(main)}`];
}

function describePadding({ paddingTop, paddingRight, paddingBottom, paddingLeft }: RawNode): string[] {
  const sides = [paddingTop, paddingRight, paddingBottom, paddingLeft].map(side => asNumber(side) ?? 0);
  return sides.every(side => side === 0) ? [] : [`padding=${shortenSides(sides)}`];
}

/** CSS's shorthand: 1, 2 or 4 lengths, joined by commas. */
function shortenSides([top, right, bottom, left]: readonly number[]): string {
  const all = [top!, right!, bottom!, left!];
  const sides = top === bottom && right === left ? (top === right ? [top!] : [top!, right!]) : all;
  return sides.map(short).join(',');
}

function describeAxes({ primaryAxisAlignItems, counterAxisAlignItems }: RawNode): string[] {
  return [...describeAlign('justify', primaryAxisAlignItems), ...describeAlign('align', counterAxisAlignItems)];
}

function describeAlign(name: string, value: unknown): string[] {
  if (typeof value !== 'string' || value === 'MIN') return [];
  return [`${name}=${value === 'MAX' ? 'end' : word(value)}`];
}

function describeGrid({ gridColumnsSizing, gridRowsSizing }: RawNode): string[] {
  const track = (name: string, value: unknown) =>
    typeof value === 'string' && value.trim() !== ''
      ? [`${name}=${JSON.stringify(value.replaceAll(/\s+/g, ' ').trim().slice(0, 120))}`]
      : [];
  return [...track('columns', gridColumnsSizing), ...track('rows', gridRowsSizing)];
}

/** How large a node is and where: `320×fill`, `at=16,24` from its parent's corner unless the parent places it. */
export function describeBox(node: RawNode, parent: RawNode | null): string[] {
  const box = node.absoluteBoundingBox;
  const width = describeLength(node.layoutSizingHorizontal, asNumber(box?.width));
  const height = describeLength(node.layoutSizingVertical, asNumber(box?.height));
  return [
    ...(width === '' || height === '' ? [] : [`${width}×${height}`]),
    ...describeBounds(node),
    ...describePlace(node, parent),
    ...describeSelf(node),
  ];
}

function describeLength(sizing: unknown, length: number | null): string {
  if (sizing === 'FILL' || sizing === 'HUG') return word(sizing);
  return length === null ? '' : short(length);
}

function describeBounds({ minWidth, maxWidth, minHeight, maxHeight }: RawNode): string[] {
  const bounds = { 'min-w': minWidth, 'max-w': maxWidth, 'min-h': minHeight, 'max-h': maxHeight };
  return Object.entries(bounds).flatMap(([name, bound]) => (asNumber(bound) ? [`${name}=${short(bound!)}`] : []));
}

function describePlace(node: RawNode, parent: RawNode | null): string[] {
  if (parent === null) return [];
  const absolute = node.layoutPositioning === 'ABSOLUTE';
  if (isAutoLayout(parent) && !absolute) return [];
  const [box, around] = [node.absoluteBoundingBox, parent.absoluteBoundingBox];
  const [x, y] = [asNumber(box?.x), asNumber(box?.y)];
  if (x === null || y === null) return [];
  // A page has no box: what lies on it is placed from its origin.
  const at = `at=${short(x - (asNumber(around?.x) ?? 0))},${short(y - (asNumber(around?.y) ?? 0))}`;
  return absolute ? ['absolute', at] : [at];
}

function describeSelf(node: RawNode): string[] {
  const { layoutAlign, layoutGrow, layoutSizingHorizontal, rotation } = node;
  const turned = asNumber(rotation) ?? 0;
  const spans = [asNumber(node.gridColumnSpan) ?? 1, asNumber(node.gridRowSpan) ?? 1];
  // Older files have these in place of the sizing.
  const old = layoutSizingHorizontal === undefined;
  return [
    ...(old && layoutGrow === 1 ? ['grow'] : []),
    ...(old && layoutAlign === 'STRETCH' ? ['stretch'] : []),
    ...(spans.some(span => span > 1) ? [`span=${spans.map(short).join(',')}`] : []),
    ...(Math.abs(turned) < 0.001 ? [] : [`rotation=${short(turned)}`]),
  ];
}

/** What is drawn around a node: width, side and dashes of its stroke, and its corners. */
export function describeEdges(node: RawNode, stroked: boolean): string[] {
  const corners = node.rectangleCornerRadii;
  const radius = asNumber(node.cornerRadius);
  const radii = Array.isArray(corners) && corners.length === 4 ? corners.map(each => asNumber(each) ?? 0) : null;
  return [
    ...(stroked ? describeStroke(node) : []),
    ...(radii !== null && radii.some(each => each !== 0)
      ? [`radius=${shortenSides(radii)}`]
      : radius
        ? [`radius=${short(radius)}`]
        : []),
  ];
}

function describeStroke({
  strokeWeight,
  individualStrokeWeights: sides,
  strokeAlign,
  strokeDashes,
}: RawNode): string[] {
  const weights = sides && [sides.top, sides.right, sides.bottom, sides.left].map(each => asNumber(each) ?? 0);
  const dashes = Array.isArray(strokeDashes) ? strokeDashes.slice(0, 8).map(each => short(asNumber(each) ?? 0)) : [];
  return [
    `stroke-width=${weights ? shortenSides(weights) : short(asNumber(strokeWeight) ?? 1)}`,
    ...(strokeAlign === undefined || strokeAlign === 'INSIDE' ? [] : [`stroke-align=${word(strokeAlign)}`]),
    ...(dashes.length === 0 ? [] : [`dashes=${dashes.join(',')}`]),
  ];
}
