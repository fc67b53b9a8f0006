import vm from 'node:vm';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isAllowed, recognize } from '../../mcp-servers/figma/download.ts';
import { readBytes, readJson } from '../../mcp-servers/figma/body.ts';
import { createDrawings } from '../../mcp-servers/figma/drawings.ts';
import type { Drawing } from '../../mcp-servers/figma/drawings.ts';
import { AnswerTooLarge, explainFailure } from '../../mcp-servers/figma/errors.ts';
import { createLimits, readLimit } from '../../mcp-servers/figma/limits.ts';
import { createOutline } from '../../mcp-servers/figma/design/outline.ts';
import { printOutline } from '../../mcp-servers/figma/design/print.ts';
import type { RawNode } from '../../mcp-servers/figma/design/raw.ts';
import { parseFile, parseNodeId } from '../../mcp-servers/figma/reference.ts';
import { figmaConfig } from '../../specs/types/figma.ts';
import { createLarge, writeDeep } from '../fakes/figma/designs.ts';
import { streamReused } from '../support/reused-chunks.ts';

const legend = { components: {}, componentSets: {}, styles: {} };
const view = { roots: [0], depth: Infinity, offset: 0, maxNodes: 100_000, maxBytes: 10_000_000, maxTextLength: 2000 };
const print = (root: object) => printOutline(createOutline([root], legend), view).text;

test.each([
  ['AbCdEfGhIjKlMnOpQrStUv', { fileKey: 'AbCdEfGhIjKlMnOpQrStUv', nodeId: null }],
  ['https://www.figma.com/design/AbCdEfGhIj/Name?node-id=1-2&t=x', { fileKey: 'AbCdEfGhIj', nodeId: '1:2' }],
  ['https://figma.com/file/AbCdEfGhIj', { fileKey: 'AbCdEfGhIj', nodeId: null }],
  ['https://www.figma.com/proto/AbCdEfGhIj/N?node-id=I1-2%3B3-4', { fileKey: 'AbCdEfGhIj', nodeId: 'I1:2;3:4' }],
  ['https://www.figma.com/board/AbCdEfGhIj/N', { fileKey: 'AbCdEfGhIj', nodeId: null }],
  ['https://www.figma.com/design/AbCdEfGhIj/branch/BrAnChKeY1/N', { fileKey: 'BrAnChKeY1', nodeId: null }],
  ['https://figma.com.evil.test/design/AbCdEfGhIj', null],
  ['http://www.figma.com/design/AbCdEfGhIj', null],
  ['https://www.figma.com/community/file/1234567890', null],
  ['https://www.figma.com/design/../v1/me', null],
  ['https://www.figma.com/design/AbCdEfGhIj/N?node-id=..', null],
  ['AbCdEfGhIj/nodes', null],
  ['AbC%2fdEfGhIj', null],
  ['..', null],
  ['', null],
])('the file of %s', (text, reference) => {
  expect(parseFile(text)).toEqual(reference);
});

test.each(['1', '1:2:3', 'x:y', '1:2,3:4', '1:2/..', '1'.repeat(50) + ':1', '1:2;'.repeat(40) + '1:2'])(
  '%s is no node id',
  id => {
    expect(parseNodeId(id)).toBeNull();
  },
);

test('a tree deeper than the stack is walked, and stays within its limits', () => {
  const file = JSON.parse(writeDeep(60_000)) as { document: RawNode };
  const outline = createOutline([file.document], legend);
  expect(outline.nodes).toHaveLength(60_002);
  const { text, shown, total } = printOutline(outline, { ...view, maxBytes: 20_000 });
  expect(Buffer.byteLength(text)).toBeLessThan(20_000);
  expect(total).toBe(60_002);
  expect(text).toContain(`#7:${shown - 3} (+${total - shown} inside)`);
});

test('whatever the limits are, the print keeps them and each node is shown or counted in a mark', () => {
  const { document } = createLarge();
  const outline = createOutline([document], legend);
  for (const limits of [
    { maxNodes: 1 },
    { maxNodes: 7 },
    { maxNodes: 300 },
    { maxBytes: 3000 },
    { maxBytes: 50_000 },
  ]) {
    const { text, shown, total } = printOutline(outline, { ...view, ...limits });
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(limits.maxBytes ?? Infinity);
    expect(shown).toBeLessThanOrEqual(limits.maxNodes ?? Infinity);
    const marks = [...text.matchAll(/\(\+(\d+) inside|\((\d+) nodes\): nodeId=/g)];
    expect(marks.reduce((sum, mark) => sum + Number(mark[1] ?? mark[2]), shown)).toBe(total);
  }
});

test('fields of the wrong type are not taken for what they should be', () => {
  const hostile = {
    id: '1:1\n2',
    name: 'a\n"b"  #9:9',
    type: 'FRAME" x',
    children: [
      null,
      7,
      [],
      { id: 5, name: null, type: null, children: 'none' },
      {
        id: '1:2',
        type: 'TEXT',
        name: 'T',
        characters: 'x\ny',
        characterStyleOverrides: [1, 1],
        style: 'no',
        fills: {},
      },
      {
        id: '1:3',
        type: 'RECTANGLE',
        name: 'R',
        fills: [null, { type: 'SOLID' }, { type: 7 }],
        effects: [{}],
        strokes: 3,
      },
      {
        id: '1:4',
        type: 'INSTANCE',
        name: 'I',
        componentId: '__proto__',
        componentProperties: { a: null, b: { value: {} } },
      },
      {
        id: '1:5',
        type: 'FRAME',
        name: 'F',
        layoutMode: 'constructor',
        absoluteBoundingBox: { x: '1', width: Infinity },
      },
    ],
  };
  const lines = print(hostile).split('\n');
  const nodes = lines.slice(lines.indexOf('nodes:') + 1);
  expect(nodes).toHaveLength(6);
  expect(nodes[0]).toBe('FRAME_X "a\\n\\"b\\"  #9:9" #1:1_2');
  expect(nodes[2]).toContain('text="x\\ny"');
});

test('no JSON makes it throw, and each node stays on its line', () => {
  const names =
    'visible layoutMode layoutWrap itemSpacing paddingTop absoluteBoundingBox rotation opacity fills strokes effects styles ' +
    'style characterStyleOverrides styleOverrideTable lineTypes componentId componentProperties componentPropertyDefinitions ' +
    'componentPropertyReferences boundVariables exportSettings devStatus transitionNodeID connectorStart strokeDashes ' +
    'rectangleCornerRadii individualStrokeWeights gridColumnsSizing blendMode overflowDirection';
  const paint = fc.record({
    type: fc.constantFrom('SOLID', 'IMAGE', 'GRADIENT_LINEAR', 'DROP_SHADOW'),
    color: fc.jsonValue(),
  });
  const value = fc.oneof(
    fc.jsonValue(),
    fc.constant({ toString: 1 }),
    fc.constant([{ toString: 1 }]),
    fc.array(paint),
    fc.constantFrom('GRID', 'HORIZONTAL'),
  );
  const fields = fc.dictionary(fc.constantFrom(...names.split(' ')), value);
  const type = fc.constantFrom('TEXT', 'FRAME', 'INSTANCE', 'VECTOR', 'CONNECTOR');
  const node = fc.tuple(fields, type, fc.string()).map(([given, kind, characters]) => ({
    ...given,
    visible: true,
    id: '1:1',
    name: characters,
    type: kind,
    characters,
  }));
  fc.assert(
    fc.property(node, fc.array(node), (root, children) => {
      const text = print({ ...root, type: 'SECTION', children });
      expect(text.slice(text.indexOf('nodes:\n')).split('\n')).toHaveLength(children.length + 2);
    }),
    { numRuns: 150 },
  );
});

test('an answer that does not come in time is told from one that does not come at all', () => {
  const late = AbortSignal.abort(new DOMException('late', 'TimeoutError')).reason as unknown;
  expect(explainFailure(late, 0)).toMatch(/did not answer in time.*less at a time/);
});

test('no single node fills the memory or the answer', () => {
  const paints = Array.from({ length: 10_000 }, () => ({ type: 'SOLID', color: { r: 1, g: 1, b: 1, a: 1 } }));
  const options = Array.from({ length: 1000 }, (_, index) => `Option ${index}`);
  const property = { type: 'VARIANT', defaultValue: options[0], variantOptions: options };
  const definitions = Object.fromEntries(options.map(name => [name, property]));
  const node = { id: '1:1', name: 'N'.repeat(10_000), type: 'COMPONENT_SET', fills: paints };
  expect(print({ ...node, componentPropertyDefinitions: definitions }).length).toBeLessThan(7000);
});

test('drawings are one node, but neither rows of icons nor what holds text or photos', () => {
  const shape = (type: string, given = {}) => ({ id: '2:1', name: type, type, ...given });
  const group = (children: object[], given = {}) => ({ id: '1:1', name: 'G', type: 'FRAME', children, ...given });
  const vector = shape('VECTOR');
  expect(print(group([vector, shape('ELLIPSE'), group([vector])]))).toContain('SVG "G" #1:1 (4 shapes)');
  expect(print(group([shape('RECTANGLE'), shape('ELLIPSE')]))).toContain('RECTANGLE');
  expect(print(group([vector, shape('TEXT', { characters: 'Hi' })]))).toContain('text="Hi"');
  const photo = { fills: [{ type: 'IMAGE', imageRef: 'ref12345', scaleMode: 'FIT' }] };
  expect(print(group([vector, shape('RECTANGLE', photo)]))).toContain('image(ref=ref12345 fit)');
  expect(print(group([vector, vector], { layoutMode: 'HORIZONTAL' }))).toMatch(
    /FRAME "G" #1:1 row\n {2}SVG.*\n {2}SVG/,
  );
});

test('drawings are forgotten when there are too many, the least recently used first', () => {
  const drawings = createDrawings(200_000);
  const nodes = Array.from({ length: 100 }, (_, index) => ({ id: `1:${index}`, type: 'FRAME', name: 'F'.repeat(100) }));
  const drawing = (fileKey: string, version = '1'): Drawing => ({
    fileKey,
    version,
    name: '',
    lastModified: '',
    whole: false,
    levels: Infinity,
    outline: createOutline(nodes, legend),
    rawBytes: 1,
    readMs: 1,
  });
  const kept = (...keys: string[]) => keys.filter(key => drawings.of(key).length > 0);
  const first = drawing('a');
  for (const each of [first, drawing('b'), drawing('c')]) drawings.keep(each);
  drawings.touch(first);
  for (const key of ['d', 'e', 'f']) drawings.keep(drawing(key));
  expect(kept('a', 'f')).toEqual(['a', 'f']);
  expect(kept('b')).toEqual([]);
  drawings.keep(drawing('a', '2'));
  expect(drawings.of('a').map(({ version }) => version)).toEqual(['2']);
});

test('a body is read no further than its limit, whatever its length says', async () => {
  let pulled = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulled += 1;
      controller.enqueue(new Uint8Array(1000));
    },
  });
  const reading = readBytes({ headers: new Headers(), body }, 10_000, new AbortController().signal);
  await expect(reading).rejects.toThrow(AnswerTooLarge);
  expect(pulled).toBeLessThan(20);
});

const { signal } = new AbortController();

test('a body in the smallest of chunks is copied, not collected', async () => {
  const text = JSON.stringify({ name: 'n'.repeat(20_000) });
  const body = { headers: new Headers(), body: streamReused(text) };
  expect((await readBytes(body, text.length, signal)).toString()).toBe(text);
  const longer = { headers: new Headers(), body: streamReused(text) };
  await expect(readBytes(longer, text.length - 1, signal)).rejects.toThrow(AnswerTooLarge);
});

test('JSON of more objects than a design has is not parsed', async () => {
  const read = (json: string) => readJson(new Response(json), 32 * 1024 * 1024, signal);
  const many = '{},'.repeat(1_500_000);
  await expect(read(`[${many}{}]`)).rejects.toThrow('over 1500000 objects');
  // Not even as far as its fault.
  await expect(read(`${many}{}`)).rejects.toThrow(AnswerTooLarge);
  expect((await read(`{"children":[${'{},'.repeat(1000)}{}]}`)).data).toMatchObject({ children: { length: 1001 } });
});

test('an outline of more nodes than anybody draws is not begun, be they seen or not', () => {
  const node = (count: number, given = {}) => ({ type: 'FRAME', children: Array.from({ length: count }, () => given) });
  expect(() => createOutline([node(200_001)], legend)).toThrow('over 200000 nodes');
  expect(() => createOutline([node(200_001, { visible: false })], legend)).toThrow(AnswerTooLarge);
  const half = node(100_000, { visible: false });
  expect(() => createOutline([{ children: [{ ...half, visible: false }, half] }], legend)).toThrow(AnswerTooLarge);
  expect(createOutline([{ children: [half] }], legend)).toMatchObject({ nodes: { length: 2 }, hidden: 100_000 });
  expect(explainFailure(new AnswerTooLarge('200000 nodes'), 0)).toMatch(/over 200000 nodes.*depth of 1 or 2/);
});

test.each([
  ['an SVG', '<!-- a --><!-- b -->\n<svg xmlns="">', 'image/svg+xml'],
  ['an SVG with a declaration', '<?xml version="1.0"?>\n<!-- <svg --> <svg>', 'image/svg+xml'],
  ['a comment', '<!-- <svg> -->', null],
  // With comments that may end at any later end, this takes longer than the universe has.
  ['comments before another element', `${'<!---->'.repeat(60)}<svgs`, null],
  ['comments alone', '<!---->\n'.repeat(60), null],
])('%s is recognized', (_what, head, mimeType) => {
  // A synchronous function can only be ended from outside.
  const context = { recognize, bytes: Buffer.from(head) };
  expect(vm.runInNewContext('recognize(bytes)', context, { timeout: 5000 })).toBe(mimeType);
});

test("a fault of the program's own is not the network's", () => {
  const failed = new TypeError('fetch failed', { cause: Object.assign(new Error('x'), { code: 'ECONNRESET' }) });
  expect(explainFailure(failed, 0)).toMatch(/Figma could not be reached \(ECONNRESET\)/);
  expect(explainFailure(new TypeError('x is undefined'), 0)).toMatch(/^MiniMCP could not read what Figma answered/);
});

test.each(['https://me:secret@figma.test', 'https://figma.test/?a', 'https://figma.test/#a', 'http://figma.test'])(
  'the base URL %s is refused when it is declared',
  baseUrl => {
    expect(figmaConfig.safeParse({ baseUrl }).success).toBe(false);
  },
);

test('limits of a minute hold for all files, those of days for their file', () => {
  const limits = createLimits();
  limits.remember(readLimit(1, new Headers({ 'retry-after': '30' }), 0), 'fileA', 0);
  expect(limits.find(1, 'fileB', 29_000)).toMatchObject({ tier: 1, remembered: true });
  expect(limits.find(2, 'fileA', 29_000)).toBeNull();
  expect(limits.find(1, 'fileB', 30_000)).toBeNull();
  limits.remember(readLimit(1, new Headers({ 'retry-after': '396749' }), 0), 'fileA', 0);
  expect(limits.find(1, 'fileB', 40_000)).toBeNull();
  expect(limits.find(1, 'fileA', 396_000_000)).not.toBeNull();
});

test.each([
  [null, 60_000],
  ['7', 7000],
  ['0', 1000],
  ['soon', 60_000],
  ['99999999999', 31 * 24 * 3_600_000],
  ['Thu, 01 Jan 1970 00:00:20 GMT', 20_000],
])('Retry-After %s', (value, until) => {
  const headers = new Headers(value === null ? {} : { 'retry-after': value });
  expect(readLimit(1, headers, 0).until).toBe(until);
});

test.each([
  ['https://figma-alpha-api.s3.us-west-2.amazonaws.com/images/x', true],
  ['http://127.0.0.1:5/_images/png', true],
  ['http://127.0.0.1:6/_images/png', false],
  ['http://s3.amazonaws.com/x', false],
  ['https://127.0.0.1/x', false],
  ['https://2130706433/x', false],
  ['https://[::1]/x', false],
  ['https://localhost/x', false],
  ['https://metadata.google.internal/x', false],
  ['https://user:secret@s3.amazonaws.com/x', false],
  ['https://s3.amazonaws.com:8443/x', false],
  ['file:///etc/passwd', false],
  ['data:image/png;base64,AA', false],
])('images from %s: %s', (url, allowed) => {
  expect(isAllowed(url, 'http://127.0.0.1:5')).toBe(allowed);
});
