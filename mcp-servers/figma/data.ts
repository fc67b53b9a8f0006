import { z } from 'zod';
import { reads } from '../tool/tool.ts';
import { printOutline } from './design/print.ts';
import type { Print } from './design/print.ts';
import { CannotDo } from './errors.ts';
import { readDesign } from './read.ts';
import type { Reading, Wanted } from './read.ts';
import { file, parseNodeIds, readFileReference } from './reference.ts';
import { defineTool } from './tool.ts';
import type { FigmaTool } from './tool.ts';

const maxIds = 20;
/** Of the lines before the tree and after it. */
const frameBytes = 1500;

const getFigmaData = defineTool({
  name: 'get_figma_data',
  title: 'Get the design of a file or node',
  description:
    'What a Figma file or some of its nodes look like, as a compact tree: one line per node with type, "name", #id, ' +
    'auto layout in the words of CSS flexbox (row, column, gap, padding, justify, align), size as width×height ' +
    '(fill, hug or pixels), at=x,y from the parent, fills, strokes, effects, text and components. Styles that ' +
    'several nodes share stand once under "styles:" (f fill, t text, x part of a text as in {x1}…{/}, e effect; ' +
    'paints topmost first), components that instances are of=# under "components:". Invisible nodes are left out. ' +
    'Drawings stand as one SVG node and image fills as image(ref=…): download_figma_images gets both. Large ' +
    'designs come in parts: "(+N inside)" stands at a node whose #id to ask for next as nodeId, "… more children" ' +
    'says with which offset to go on; that is answered from memory as long as the file is unchanged. Give the nodeId of the frame in question whenever ' +
    'you know it.',
  input: z.object({
    fileKey: file,
    nodeId: z
      .string()
      .max(2000, { abort: true })
      .refine(text => {
        const ids = parseNodeIds(text);
        return ids !== null && ids.length <= maxIds;
      }, `must be a node id such as "1:2" or "I5:6;1:2", or up to ${maxIds} of them joined by commas`)
      .optional()
      .describe('Id of a node, such as 1:2, or several joined by commas. Default: the whole file'),
    depth: z
      .int()
      .min(1)
      .max(100)
      .optional()
      .describe('Levels below the node; of a whole file 1 = pages, 2 = with the frames on them. Default: all'),
    offset: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(0)
      .describe("Go on after this many children of the node, as a '… more children' line says"),
    maxNodes: z.int().min(1).max(5000).default(1000).describe('Nodes in the answer'),
    maxBytes: z.int().min(4000).max(200_000).default(60_000).describe('Size of the answer; a token is some 3 bytes'),
    maxTextLength: z
      .int()
      .min(10)
      .max(50_000)
      .default(2000)
      .describe('Longer texts of the design are cut to so many characters'),
  }),
  annotations: reads,
  async run({ fileKey: from, nodeId, depth = Infinity, offset, ...limits }, { api, signal }) {
    const reference = readFileReference(from);
    const ids = nodeId === undefined ? [reference.nodeId].filter(id => id !== null) : parseNodeIds(nodeId)!;
    const wanted = { fileKey: reference.fileKey, ids: ids.length === 0 ? null : ids, depth };
    if (offset > 0 && ids.length > 1) throw new CannotDo('offset goes with a single nodeId: ask for one at a time.');
    const reading = await readDesign(api, wanted, signal);
    const print = printOutline(reading.drawing.outline, {
      roots: reading.roots,
      depth,
      offset,
      maxNodes: limits.maxNodes,
      maxBytes: limits.maxBytes - frameBytes,
      maxTextLength: limits.maxTextLength,
    });
    return { content: [{ type: 'text', text: frame(wanted, reading, print) }] };
  },
});

/** What the tree is of, and what is not in it. */
function frame({ depth }: Wanted, { drawing, missing, source }: Reading, { text, shown, total }: Print): string {
  const { name, fileKey, version, lastModified, outline, rawBytes } = drawing;
  const left = total - shown;
  const line = (value: string) => value.slice(0, 200).replaceAll(/\s+/g, ' ');
  return [
    `file: ${JSON.stringify(line(name))} key=${fileKey} version=${line(version)} modified=${line(lastModified)}`,
    `source: ${source}`,
    `size: ${shown} of ${total} nodes, ${Buffer.byteLength(text)} bytes here; ${rawBytes} bytes of Figma's JSON, ${outline.hidden} invisible nodes and ${outline.merged} shapes within drawings left out`,
    ...(missing.length === 0 ? [] : [`missing: no node ${missing.join(', ')} in this file`]),
    text,
    ...(left === 0
      ? []
      : [
          `truncated: ${left} nodes left out. Ask with the #id of a "(+N inside)" above as nodeId, as a "… more children" says, or with a larger maxNodes or maxBytes${Number.isFinite(depth) ? ', or a larger depth' : ''}.`,
        ]),
    ...(Number.isFinite(drawing.levels) && left === 0
      ? [
          `depth: only ${drawing.levels} levels were read. Ask with a larger depth, or the nodeId of what to see inside.`,
        ]
      : []),
  ].join('\n');
}

export const dataTools: readonly FigmaTool[] = [getFigmaData];
