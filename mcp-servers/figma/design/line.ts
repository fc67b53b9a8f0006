import { describeComponent, describeVariables } from './component.ts';
import { describeBox, describeContainer, describeEdges } from './layout.ts';
import { describeEffects, describePaints } from './paint.ts';
import { asId, asNumber, isNode, isVisible, listOf, quoteName, short, word } from './raw.ts';
import type { RawNode } from './raw.ts';
import type { StyleTable } from './styles.ts';
import { describeTextStyle, readText } from './text.ts';

/** A style of a node: `name` as in `fill=f1`, `style` its index in the table. */
export interface StyleUse {
  readonly name: string;
  readonly style: number;
}

/** One node, simplified. */
export interface Line {
  readonly id: string;
  /** Type, name, id and all that is not shared with other nodes. */
  readonly words: string;
  readonly uses: readonly StyleUse[];
  /** Entries that the text refers to, which have to be shown with it. */
  readonly textStyles: readonly number[];
  /** The characters of a text. */
  readonly text: string | null;
  /** Of which component this is an instance. */
  readonly component: string | null;
}

/** What a component defines can be long. */
const maxWordsLength = 4000;

/** `merged`: how many shapes this drawing stands for; null for a node that is none. */
export function describeLine(node: RawNode, parent: RawNode | null, merged: number | null, styles: StyleTable): Line {
  const drawing = merged !== null;
  const textStyles: number[] = [];
  const text =
    typeof node.characters === 'string'
      ? readText(node, style => {
          const index = styles.refer('x', style);
          textStyles.push(index);
          return styles.entries[index]!.ref;
        })
      : null;
  // How a drawing is painted is in the SVG.
  const uses = drawing ? [] : readStyles(node, styles);
  const id = asId(node.id);
  const words = [
    drawing ? 'SVG' : nameType(node.type),
    // Figma names a text by its characters.
    ...(node.name === node.characters ? [] : [quoteName(node.name)]),
    `#${id}`,
    ...(merged ? [`(${merged} shapes)`] : []),
    ...(isVisible(node) ? [] : ['invisible']),
    ...describeOrigin(node),
    ...(drawing ? [] : describeContainer(node)),
    ...describeBox(node, parent),
    ...(drawing ? [] : describeEdges(node, describePaints(node.strokes) !== '')),
    ...describeBlending(node),
    ...describeComponent(node),
    ...(drawing ? [] : describeVariables(node)),
    ...describeHandover(node),
  ]
    .join(' ')
    .slice(0, maxWordsLength);
  const component = typeof node.componentId === 'string' ? asId(node.componentId) : null;
  return { id, words, uses, textStyles, text, component };
}

/** Figma's API says CANVAS where people say page. */
const nameType = (type: unknown): string => (type === 'CANVAS' ? 'PAGE' : asId(type).toUpperCase() || 'NODE');

const describeOrigin = ({ componentId }: RawNode): string[] =>
  typeof componentId === 'string' ? [`of=${asId(componentId)}`] : [];

function readStyles(node: RawNode, styles: StyleTable): StyleUse[] {
  const ids = isNode(node.styles) ? (node.styles as Readonly<Record<string, unknown>>) : {};
  const uses: StyleUse[] = [];
  const use = (name: string, kind: 't' | 'f' | 'e', value: string, id: unknown) => {
    if (value !== '') uses.push({ name, style: styles.refer(kind, value, typeof id === 'string' ? id : undefined) });
  };
  if (node.type === 'TEXT' || node.type === 'TEXT_PATH') {
    use('font', 't', describeTextStyle(node.style), ids['text']);
  }
  use('fill', 'f', describePaints(node.fills), ids['fill'] ?? ids['fills']);
  use('stroke', 'f', describePaints(node.strokes), ids['stroke'] ?? ids['strokes']);
  use('effect', 'e', describeEffects(node.effects), ids['effect'] ?? ids['effects']);
  return uses;
}

function describeBlending({ opacity, blendMode, isMask }: RawNode): string[] {
  const seen = asNumber(opacity) ?? 1;
  const blend = typeof blendMode === 'string' && !['NORMAL', 'PASS_THROUGH'].includes(blendMode) ? blendMode : null;
  return [
    ...(seen === 1 ? [] : [`opacity=${short(seen)}`]),
    ...(blend === null ? [] : [`blend=${word(blend)}`]),
    ...(isMask === true ? ['mask'] : []),
  ];
}

/** What designers say to developers: export settings, status, where a prototype or a connector leads. */
function describeHandover(node: RawNode): string[] {
  const { exportSettings, devStatus, transitionNodeID } = node;
  const [from, to] = [node.connectorStart?.endpointNodeId, node.connectorEnd?.endpointNodeId];
  const exports = listOf(exportSettings).map(({ format, constraint }) => {
    const { type, value } = constraint ?? {};
    return `${word(format)}${type === 'SCALE' && value !== 1 ? `@${short(asNumber(value) ?? 1)}x` : ''}`;
  });
  return [
    ...(exports.length === 0 ? [] : [`export=${exports.slice(0, 8).join(',')}`]),
    ...(devStatus?.type === undefined || devStatus.type === 'NONE' ? [] : [`dev=${word(devStatus.type)}`]),
    ...(typeof transitionNodeID === 'string' ? [`goes-to=#${asId(transitionNodeID)}`] : []),
    ...(typeof from === 'string' ? [`from=#${asId(from)}`] : []),
    ...(typeof to === 'string' ? [`to=#${asId(to)}`] : []),
  ];
}
