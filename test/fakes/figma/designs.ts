import type { Component, ComponentSet, DocumentNode, Style, SubcanvasNode } from '@figma/rest-api-spec';
import { canvas, component, componentSet, frame, instance, rectangle, solid, text, vector } from './nodes.ts';

export interface Design {
  readonly name: string;
  readonly document: DocumentNode;
  readonly components: Record<string, Component>;
  readonly componentSets: Record<string, ComponentSet>;
  readonly styles: Record<string, Style>;
}

export const heroRef = 'a1b2c3d4e5f60718293a4b5c6d7e8f9001122334';

const style = (name: string, styleType: Style['styleType']): Style => ({
  key: `key-of-${name}`,
  name,
  description: '',
  remote: false,
  styleType,
});

const shadow = {
  type: 'DROP_SHADOW',
  visible: true,
  color: { r: 0, g: 0, b: 0, a: 0.25 },
  blendMode: 'NORMAL',
  offset: { x: 0, y: 4 },
  radius: 12,
  showShadowBehindNode: false,
} as const;

const documentOf = (children: DocumentNode['children']): DocumentNode => ({
  id: '0:0',
  name: 'Document',
  type: 'DOCUMENT',
  scrollBehavior: 'SCROLLS',
  children,
});

/** A landing page: auto layout, named styles, a button component with its instances, an icon, an image, texts. */
export function createLanding(): Design {
  return {
    name: 'Landing page',
    document: documentOf([canvas('0:1', 'Screens', [createHome()]), canvas('0:2', 'Library', [createButtons()])]),
    components: {
      '20:2': {
        key: 'key-of-primary',
        name: 'Kind=Primary',
        description: 'The one action of a screen',
        componentSetId: '20:1',
        documentationLinks: [],
        remote: false,
      },
      '20:3': {
        key: 'key-of-quiet',
        name: 'Kind=Quiet',
        description: '',
        componentSetId: '20:1',
        documentationLinks: [],
        remote: false,
      },
    },
    componentSets: { '20:1': { key: 'key-of-button', name: 'Button', description: '' } },
    styles: {
      '9:1': style('Brand/Primary', 'FILL'),
      '9:2': style('Heading/H1', 'TEXT'),
      '9:3': style('Elevation/Card', 'EFFECT'),
    },
  };
}

function createHome(): SubcanvasNode {
  return frame('1:1', 'Home', [100, 100, 1440, 900], {
    layoutMode: 'VERTICAL',
    itemSpacing: 32,
    paddingTop: 48,
    paddingBottom: 48,
    paddingLeft: 64,
    paddingRight: 64,
    counterAxisAlignItems: 'CENTER',
    fills: [solid('#FFFFFF')],
    devStatus: { type: 'READY_FOR_DEV' },
    children: [
      text('1:2', 'Ship faster', [164, 148, 400, 56], {
        layoutSizingHorizontal: 'FILL',
        layoutSizingVertical: 'HUG',
        style: { fontWeight: 700, fontSize: 48, lineHeightPx: 56, letterSpacing: -0.5 },
        styles: { text: '9:2', fill: '9:1' },
        fills: [solid('#0055FF')],
      }),
      text('1:3', 'Read the docs or ask us', [164, 240, 400, 24], {
        characterStyleOverrides: [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1],
        styleOverrideTable: {
          '1': { fontWeight: 700, textDecoration: 'UNDERLINE', hyperlink: { type: 'URL', url: 'https://docs.test' } },
        },
      }),
      createCards(),
      createHidden(),
      rectangle('1:60', 'Hero', [164, 600, 1312, 300], {
        cornerRadius: 16,
        fills: [
          { type: 'IMAGE', blendMode: 'NORMAL', scaleMode: 'FILL', imageRef: heroRef },
          {
            type: 'GRADIENT_LINEAR',
            blendMode: 'NORMAL',
            opacity: 0.5,
            gradientHandlePositions: [
              { x: 0, y: 0.5 },
              { x: 1, y: 0.5 },
              { x: 0, y: 1 },
            ],
            gradientStops: [
              { position: 0, color: { r: 0, g: 0, b: 0, a: 0 } },
              { position: 1, color: { r: 0, g: 0, b: 0, a: 1 } },
            ],
          },
        ],
      }),
    ],
  });
}

/** Three alike cards in a row, each with an icon of three vectors and a button. */
function createCards(): SubcanvasNode {
  const cards = [0, 1, 2].map(index => {
    const [x, y] = [164 + index * 340, 300];
    const id = (part: number) => `1:${10 + index * 10 + part}`;
    return frame(id(0), `Card ${index + 1}`, [x, y, 320, 200], {
      layoutMode: 'VERTICAL',
      itemSpacing: 12,
      paddingTop: 24,
      paddingBottom: 24,
      paddingLeft: 24,
      paddingRight: 24,
      layoutSizingHorizontal: 'FILL',
      layoutSizingVertical: 'HUG',
      cornerRadius: 8,
      fills: [solid('#F7F7F9')],
      strokes: [solid('#E0E0E6')],
      effects: [shadow],
      styles: { effect: '9:3' },
      children: [
        frame(id(1), 'icon/rocket', [x + 24, y + 24, 24, 24], {
          layoutSizingHorizontal: 'FIXED',
          layoutSizingVertical: 'FIXED',
          children: [
            vector(`${id(1)}1`, 'body', [x + 26, y + 26, 10, 20]),
            vector(`${id(1)}2`, 'window', [x + 30, y + 30, 4, 4]),
            vector(`${id(1)}3`, 'flame', [x + 28, y + 44, 6, 4]),
          ],
        }),
        text(id(2), `Feature ${index + 1}`, [x + 24, y + 60, 272, 24], {
          layoutSizingHorizontal: 'FILL',
          layoutSizingVertical: 'HUG',
        }),
        instance(id(3), 'Button', [x + 24, y + 120, 120, 40], {
          componentId: index === 0 ? '20:2' : '20:3',
          layoutSizingHorizontal: 'HUG',
          layoutSizingVertical: 'HUG',
          layoutMode: 'HORIZONTAL',
          componentProperties: {
            Kind: { type: 'VARIANT', value: index === 0 ? 'Primary' : 'Quiet' },
            'Label#20:0': { type: 'TEXT', value: 'Start' },
            'Icon#20:1': { type: 'BOOLEAN', value: false },
          },
          styles: { fill: '9:1' },
          fills: [solid('#0055FF', 1, 'VariableID:3:1')],
          children: [text(`I${id(3)};20:4`, 'Start', [x + 40, y + 128, 60, 24])],
        }),
      ],
    });
  });
  return frame('1:5', 'Cards', [164, 300, 1000, 200], {
    layoutMode: 'HORIZONTAL',
    itemSpacing: 20,
    primaryAxisAlignItems: 'SPACE_BETWEEN',
    layoutSizingHorizontal: 'FILL',
    layoutSizingVertical: 'HUG',
    boundVariables: { itemSpacing: { type: 'VARIABLE_ALIAS', id: 'VariableID:3:2' } },
    children: cards,
  });
}

function createHidden(): SubcanvasNode {
  const inside = [0, 1, 2].map(index => text(`1:${51 + index}`, `Secret ${index}`, [0, 0, 10, 10]));
  return frame('1:50', 'Old hero', [164, 500, 10, 10], { visible: false, children: inside });
}

function createButtons(): SubcanvasNode {
  const button = (id: string, kind: string, label: string) =>
    component(id, `Kind=${kind}`, [0, 0, 120, 40], {
      layoutMode: 'HORIZONTAL',
      children: [text(label, 'Label', [16, 8, 60, 24], { componentPropertyReferences: { characters: 'Label#20:0' } })],
    });
  return componentSet('20:1', 'Button', [0, 0, 300, 100], {
    componentPropertyDefinitions: {
      Kind: { type: 'VARIANT', defaultValue: 'Primary', variantOptions: ['Primary', 'Quiet'] },
      'Label#20:0': { type: 'TEXT', defaultValue: 'Label' },
    },
    children: [button('20:2', 'Primary', '20:4'), button('20:3', 'Quiet', '20:5')],
  });
}

/** 4 pages of 10 frames of 20 rows of 4 texts: over 4,000 nodes, as design systems have. */
export function createLarge(): Design {
  const rows = (id: number, y: number) =>
    Array.from({ length: 20 }, (_, row) =>
      frame(`${id}:${row * 10 + 1}`, `Row ${row}`, [0, y + row * 40, 800, 40], {
        layoutMode: 'HORIZONTAL',
        itemSpacing: 8,
        children: Array.from({ length: 4 }, (__, cell) =>
          text(`${id}:${row * 10 + 2 + cell}`, `Cell ${id}.${row}.${cell}`, [cell * 200, y + row * 40, 200, 40]),
        ),
      }),
    );
  const pages = Array.from({ length: 4 }, (_, page) =>
    canvas(
      `0:${page + 1}`,
      `Page ${page + 1}`,
      Array.from({ length: 10 }, (__, index) => {
        const id = 100 + page * 10 + index;
        return frame(`${id}:0`, `Table ${id}`, [0, index * 900, 800, 800], { children: rows(id, index * 900) });
      }),
    ),
  );
  return { name: 'Large', document: documentOf(pages), components: {}, componentSets: {}, styles: {} };
}

/** JSON of a file whose frames are nested deeper than any call stack; no program made it. */
export function writeDeep(levels: number): string {
  const open = Array.from(
    { length: levels },
    (_, level) => `{"id":"7:${level}","name":"L","type":"FRAME","children":[`,
  );
  const page = `{"id":"0:1","name":"Page","type":"CANVAS","children":[${open.join('')}${']}'.repeat(levels)}]}`;
  const about = `"name":"Deep","role":"viewer","lastModified":"2026-11-01T12:00:00Z","editorType":"figma","version":"1"`;
  return `{${about},"document":{"id":"0:0","name":"Document","type":"DOCUMENT","children":[${page}]},"components":{},"componentSets":{},"schemaVersion":0,"styles":{}}`;
}
