import type { CallToolResult } from '@modelcontextprotocol/server';
import type { GetImageFillsResponse, GetImagesResponse } from '@figma/rest-api-spec';
import { z } from 'zod';
import { reads } from '../tool/tool.ts';
import type { ToolCall } from '../tool/tool.ts';
import type { FigmaApi } from './api.ts';
import { download, NotDownloaded } from './download.ts';
import type { Download } from './download.ts';
import { AnswerTooLarge, CannotDo, FigmaRefusal, UnreadableAnswer } from './errors.ts';
import { file, nodeId, readFileReference, readNodeId } from './reference.ts';
import { defineTool } from './tool.ts';
import type { FigmaTool } from './tool.ts';

const maxImages = 20;
/** Models take images up to some 5 MB; in base64 a third more. */
const maxImageBytes = 3 * 1024 * 1024;
const maxTotalBytes = 8 * 1024 * 1024;
/** Downloads at the same time. */
const atOnce = 4;

/** How long Figma keeps its images. */
const renderExpiry = '30 days from now';
const fillExpiry = 'at most 14 days from now';

/** An image that was asked for, and where Figma has it. */
interface Source {
  readonly about: { nodeId: string } | { imageRef: string };
  readonly fileName: string;
  readonly url: string | null;
  readonly expires: string;
}

/** What the model is told of each image. */
interface Outcome {
  readonly status: 'included' | 'url' | 'failed';
  readonly mimeType?: string;
  readonly bytes?: number;
  readonly url?: string;
  readonly expires?: string;
  readonly note?: string;
}

const downloadFigmaImages = defineTool({
  name: 'download_figma_images',
  title: 'Download images of a design',
  description:
    'Images of a file: nodes rendered as PNG, JPG, SVG or PDF, and the originals of image fills by their imageRef ' +
    '(image(ref=…) in get_figma_data). The answer has a list of what became of each, then the images themselves ' +
    'in that order: PNG, JPG, GIF and WebP as images, SVG and PDF as resources. What is too large comes as a URL.',
  input: z.object({
    fileKey: file,
    nodeIds: z.array(nodeId).max(maxImages).default([]).describe('Nodes to render, such as 1:2'),
    imageRefs: z
      .array(z.string().regex(/^[A-Za-z0-9_-]{8,128}$/, 'must be the ref of an image(ref=…)'))
      .max(maxImages)
      .default([])
      .describe('Image fills to get as they were put into the file'),
    format: z.enum(['png', 'jpg', 'svg', 'pdf']).default('png').describe('What to render nodes as'),
    scale: z.number().min(0.01).max(4).default(1).describe('Of rendered PNG and JPG: 2 = twice the size'),
    deliver: z
      .enum(['images', 'urls'])
      .default('images')
      .describe('images: in the answer; urls: only where they can be downloaded, without a token, and until when'),
  }),
  annotations: reads,
  async run(input, call) {
    const { fileKey, nodeId: named } = readFileReference(input.fileKey);
    const given = input.nodeIds.map(readNodeId);
    const nodeIds = [...new Set(given.length > 0 || named === null || input.imageRefs.length > 0 ? given : [named])];
    const imageRefs = [...new Set(input.imageRefs)];
    if (nodeIds.length + imageRefs.length === 0) throw new CannotDo('Give nodeIds to render, or imageRefs.');
    if (nodeIds.length + imageRefs.length > maxImages) {
      throw new CannotDo(`Give at most ${maxImages} nodeIds and imageRefs together; ask for the others next.`);
    }
    const { format, scale } = input;
    const sources = [
      ...(nodeIds.length === 0 ? [] : await renderNodes(call, fileKey, nodeIds, { format, scale })),
      ...(imageRefs.length === 0 ? [] : await findFills(call, fileKey, imageRefs)),
    ];
    return input.deliver === 'urls' ? showUrls(sources) : showImages(sources, call);
  },
});

async function renderNodes(
  { api, signal }: ToolCall<FigmaApi>,
  fileKey: string,
  ids: readonly string[],
  { format, scale }: { format: string; scale: number },
): Promise<Source[]> {
  // Vectors have no pixels to scale.
  const pixels = format === 'png' || format === 'jpg';
  const query = { ids: ids.join(','), format, ...(pixels && { scale }) };
  const request = { tier: 1, resource: fileKey, path: `/v1/images/${fileKey}`, query } as const;
  const { data } = await api.client.ask<GetImagesResponse>(request, signal);
  const err: unknown = data.err;
  // Said with a 200 where a single node could not be rendered at all.
  if (typeof err === 'string' && data.images === undefined) throw new FigmaRefusal(400, err.slice(0, 300));
  return ids.map(id => ({
    about: { nodeId: id },
    fileName: `${fileKey}/${id.replaceAll(/[:;]/g, '-')}.${format}`,
    url: urlOf(data.images, id),
    expires: renderExpiry,
  }));
}

async function findFills(
  { api, signal }: ToolCall<FigmaApi>,
  fileKey: string,
  refs: readonly string[],
): Promise<Source[]> {
  const request = { tier: 2, resource: fileKey, path: `/v1/files/${fileKey}/images` } as const;
  const { data } = await api.client.ask<GetImageFillsResponse>(request, signal);
  return refs.map(ref => ({
    about: { imageRef: ref },
    fileName: `${fileKey}/fills/${ref}`,
    url: urlOf(data.meta?.images, ref),
    expires: fillExpiry,
  }));
}

function urlOf(images: unknown, key: string): string | null {
  if (typeof images !== 'object' || images === null || !Object.hasOwn(images, key)) return null;
  const url = (images as Record<string, unknown>)[key];
  return typeof url === 'string' && url.length <= 4096 && URL.canParse(url) ? url : null;
}

const notThere = (source: Source): Outcome => ({
  status: 'failed',
  note:
    'nodeId' in source.about
      ? 'Figma could not render it: no such node, invisible, or nothing to be seen in it.'
      : 'The file has no image fill of this ref.',
});

const asUrl = ({ url, expires }: Source, note?: string): Outcome => ({
  status: 'url',
  ...(url !== null && { url }),
  expires,
  ...(note !== undefined && { note }),
});

function showUrls(sources: readonly Source[]): CallToolResult {
  const images = sources.map(source => ({
    ...source.about,
    ...(source.url === null ? notThere(source) : asUrl(source)),
  }));
  return { content: [{ type: 'text', text: JSON.stringify({ images }) }] };
}

async function showImages(sources: readonly Source[], call: ToolCall<FigmaApi>): Promise<CallToolResult> {
  const images: object[] = [];
  const content: CallToolResult['content'] = [];
  let leftBytes = maxTotalBytes;
  for (let start = 0; start < sources.length; start += atOnce) {
    const batch = sources.slice(start, start + atOnce);
    const full = leftBytes <= 0;
    const got = full ? [] : await Promise.all(batch.map(source => fetchImage(source, call)));
    for (const [index, source] of batch.entries()) {
      const result = got[index];
      if (result && !('status' in result) && result.bytes.length <= leftBytes) {
        leftBytes -= result.bytes.length;
        content.push(show(source, result));
        images.push({ ...source.about, status: 'included', mimeType: result.mimeType, bytes: result.bytes.length });
        continue;
      }
      const rest = asUrl(source, 'The images before it fill this answer: ask for it alone, or download it.');
      const outcome = result && 'status' in result ? result : source.url === null ? notThere(source) : rest;
      images.push({ ...source.about, ...outcome });
    }
  }
  const none = !images.some(image => (image as Outcome).status !== 'failed');
  return { content: [{ type: 'text', text: JSON.stringify({ images }) }, ...content], ...(none && { isError: true }) };
}

/** The image, or why it is not there. Throws when the call is over. */
async function fetchImage(source: Source, { api, signal }: ToolCall<FigmaApi>): Promise<Download | Outcome> {
  if (source.url === null) return notThere(source);
  try {
    return await download(source.url, { origin: api.client.origin, maxBytes: maxImageBytes, signal });
  } catch (error) {
    if (signal.aborted) throw error;
    if (error instanceof AnswerTooLarge) {
      const limit = `${maxImageBytes / 1024 / 1024} MiB`;
      return asUrl(source, `Over ${limit}: ask for it with a smaller scale or as jpg, or download it.`);
    }
    if (error instanceof NotDownloaded || error instanceof UnreadableAnswer) {
      return { status: 'failed', note: `${error.message} Ask again for a new one.` };
    }
    return { status: 'failed', note: 'The host of the image could not be reached. Try again, or deliver urls.' };
  }
}

function show({ fileName }: Source, { bytes, mimeType }: Download): CallToolResult['content'][number] {
  const uri = `figma://${fileName}`;
  if (mimeType === 'image/svg+xml') return { type: 'resource', resource: { uri, mimeType, text: bytes.toString() } };
  const data = bytes.toString('base64');
  return mimeType === 'application/pdf'
    ? { type: 'resource', resource: { uri, mimeType, blob: data } }
    : { type: 'image', data, mimeType };
}

export const imageTools: readonly FigmaTool[] = [downloadFigmaImages];
