import type {
  CanvasNode,
  ComponentNode,
  ComponentSetNode,
  FrameNode,
  InstanceNode,
  Paint,
  RectangleNode,
  SubcanvasNode,
  TextNode,
  TypeStyle,
  VectorNode,
} from '@figma/rest-api-spec';

/** Nodes as Figma's API gives them: what a test says, and the many fields it does not care for. */
type Given<T> = Partial<Omit<T, 'type' | 'id' | 'name'>>;
type Box = readonly [x: number, y: number, width: number, height: number];

export const solid = (hex: string, a = 1, variable?: string): Paint => {
  const [r, g, b] = [1, 3, 5].map(at => Number.parseInt(hex.slice(at, at + 2), 16) / 255);
  return {
    type: 'SOLID',
    blendMode: 'NORMAL',
    color: { r: r!, g: g!, b: b!, a },
    ...(variable !== undefined && { boundVariables: { color: { type: 'VARIABLE_ALIAS', id: variable } } }),
  };
};

const layer = (id: string, name: string) => ({ id, name, scrollBehavior: 'SCROLLS' as const });

function shape([x, y, width, height]: Box) {
  const absoluteBoundingBox = { x, y, width, height };
  return {
    blendMode: 'PASS_THROUGH' as const,
    absoluteBoundingBox,
    absoluteRenderBounds: absoluteBoundingBox,
    constraints: { vertical: 'TOP' as const, horizontal: 'LEFT' as const },
    fills: [],
    strokes: [],
    strokeWeight: 1,
    strokeAlign: 'INSIDE' as const,
    effects: [],
    interactions: [],
  };
}

const container = (box: Box) => ({ ...shape(box), clipsContent: true, children: [] });

export const frame = (id: string, name: string, box: Box, given: Given<FrameNode> = {}): FrameNode => ({
  ...layer(id, name),
  ...container(box),
  type: 'FRAME',
  ...given,
});

export const component = (id: string, name: string, box: Box, given: Given<ComponentNode> = {}): ComponentNode => ({
  ...layer(id, name),
  ...container(box),
  type: 'COMPONENT',
  ...given,
});

export const componentSet = (
  id: string,
  name: string,
  box: Box,
  given: Given<ComponentSetNode> = {},
): ComponentSetNode => ({ ...layer(id, name), ...container(box), type: 'COMPONENT_SET', ...given });

export const instance = (
  id: string,
  name: string,
  box: Box,
  given: Given<InstanceNode> & { componentId: string },
): InstanceNode => ({ ...layer(id, name), ...container(box), type: 'INSTANCE', overrides: [], ...given });

export const rectangle = (id: string, name: string, box: Box, given: Given<RectangleNode> = {}): RectangleNode => ({
  ...layer(id, name),
  ...shape(box),
  type: 'RECTANGLE',
  ...given,
});

export const vector = (id: string, name: string, box: Box, given: Given<VectorNode> = {}): VectorNode => ({
  ...layer(id, name),
  ...shape(box),
  type: 'VECTOR',
  fills: [solid('#111111')],
  ...given,
});

const plainStyle: TypeStyle = {
  fontFamily: 'Inter',
  fontPostScriptName: 'Inter-Regular',
  fontWeight: 400,
  fontSize: 16,
  textAlignHorizontal: 'LEFT',
  textAlignVertical: 'TOP',
  letterSpacing: 0,
  lineHeightPx: 24,
  lineHeightUnit: 'PIXELS',
};

export const text = (id: string, characters: string, box: Box, given: Given<TextNode> = {}): TextNode => ({
  ...layer(id, characters.slice(0, 40)),
  ...shape(box),
  type: 'TEXT',
  fills: [solid('#111111')],
  characters,
  characterStyleOverrides: [],
  styleOverrideTable: {},
  lineTypes: ['NONE'],
  lineIndentations: [0],
  ...given,
  style: { ...plainStyle, ...given.style },
});

export const canvas = (id: string, name: string, children: SubcanvasNode[]): CanvasNode => ({
  ...layer(id, name),
  type: 'CANVAS',
  children,
  backgroundColor: { r: 0.96, g: 0.96, b: 0.96, a: 1 },
  prototypeStartNodeID: null,
  flowStartingPoints: [],
  prototypeDevice: { type: 'NONE', rotation: 'NONE' },
});
