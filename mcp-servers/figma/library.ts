import type { CallToolResult } from '@modelcontextprotocol/server';
import type {
  GetFileComponentsResponse,
  GetFileStylesResponse,
  GetTeamComponentsResponse,
  GetTeamStylesResponse,
  PublishedComponent,
  PublishedStyle,
} from '@figma/rest-api-spec';
import { z } from 'zod';
import { showStructured } from '../tool/result.ts';
import { reads } from '../tool/tool.ts';
import type { ToolCall } from '../tool/tool.ts';
import type { FigmaApi } from './api.ts';
import { isNode, listOf, textOf } from './design/raw.ts';
import { CannotDo } from './errors.ts';
import { file, readFileReference } from './reference.ts';
import { cut, defineTool, fitItems } from './tool.ts';
import type { FigmaTool } from './tool.ts';

const maxDescriptionLength = 500;

const input = z.object({
  fileKey: file.optional().describe('Key or URL of the library file; either this or teamId'),
  teamId: z
    .string()
    .regex(/^\d{1,30}$/, 'must be the digits after /team/ in a URL of Figma')
    .optional()
    .describe('Everything that a team has published: the digits after /team/ in a URL of Figma'),
  cursor: z.int().min(0).optional().describe('Go on here: nextCursor of the last answer'),
  pageSize: z.int().min(1).max(200).default(50).describe('Results per page, up to 200'),
});

const paging = {
  nextCursor: z.number().nullable(),
  totalCount: z.number().nullable().describe('Null where Figma does not say'),
  note: z.string().optional(),
};

const published = z.object({
  key: z.string().describe('Its key in every file that uses it'),
  name: z.string(),
  description: z.string(),
  fileKey: z.string(),
  nodeId: z.string().describe('For get_figma_data and download_figma_images'),
  updatedAt: z.string(),
});
const component = published.extend({ frame: z.string().nullable(), page: z.string().nullable() });
const style = published.extend({ type: z.string().describe('FILL, TEXT, EFFECT or GRID') });

function showPublished({ key, name, description, file_key, node_id, updated_at }: PublishedComponent | PublishedStyle) {
  return {
    key: textOf(key),
    name: textOf(name),
    description: cut(textOf(description), maxDescriptionLength),
    fileKey: textOf(file_key),
    nodeId: textOf(node_id),
    updatedAt: textOf(updated_at),
  };
}

const showComponent = (found: PublishedComponent) => ({
  ...showPublished(found),
  frame: found.containing_frame?.name ?? null,
  page: found.containing_frame?.pageName ?? null,
});

const showStyle = (found: PublishedStyle) => ({ ...showPublished(found), type: textOf(found.style_type) });

type Listing = GetFileComponentsResponse | GetTeamComponentsResponse | GetFileStylesResponse | GetTeamStylesResponse;

/** A page of what a file or a team has published. A file's list comes whole and is paged here, a team's by Figma. */
async function listPublished(
  kind: 'components' | 'styles',
  { fileKey, teamId, cursor, pageSize }: z.output<typeof input>,
  { api, signal }: ToolCall<FigmaApi>,
): Promise<CallToolResult> {
  if ((fileKey === undefined) === (teamId === undefined)) throw new CannotDo('Give either fileKey or teamId.');
  const resource = fileKey === undefined ? teamId! : readFileReference(fileKey).fileKey;
  const path = `/v1/${fileKey === undefined ? 'teams' : 'files'}/${resource}/${kind}`;
  const query = fileKey === undefined ? { page_size: pageSize, ...(cursor !== undefined && { after: cursor }) } : {};
  const { data } = await api.client.ask<Listing>({ tier: 3, resource, path, query }, signal);
  const meta = (isNode(data.meta) ? data.meta : {}) as Record<string, unknown> & { cursor?: { after?: unknown } };
  const all = listOf(meta[kind] as (PublishedComponent & PublishedStyle)[] | undefined);
  const start = fileKey === undefined ? 0 : (cursor ?? 0);
  const show: (found: PublishedComponent & PublishedStyle) => object =
    kind === 'components' ? showComponent : showStyle;
  const wanted = all.slice(start, start + pageSize).map(show);
  const items = fitItems(wanted);
  if (fileKey !== undefined) {
    const next = start + items.length;
    return showStructured({ items, nextCursor: next < all.length ? next : null, totalCount: all.length });
  }
  const left = wanted.length - items.length;
  const after = meta.cursor?.after;
  return showStructured({
    items,
    // Figma's cursor would step over what is left.
    nextCursor: typeof after === 'number' && left === 0 ? after : null,
    totalCount: null,
    ...(left > 0 && { note: `${left} more did not fit: ask again with pageSize ${items.length} or less.` }),
  });
}

const getComponents = defineTool({
  name: 'get_components',
  title: 'List components',
  description: 'Components that a library file or a whole team has published. For what a design uses: get_figma_data.',
  input,
  output: z.object({ items: z.array(component), ...paging }),
  annotations: reads,
  run: (asked, call) => listPublished('components', asked, call),
});

const getStyles = defineTool({
  name: 'get_styles',
  title: 'List styles',
  description:
    'Fill, text, effect and grid styles that a library file or a whole team has published. Their values: ' +
    'get_figma_data with their nodeId.',
  input,
  output: z.object({ items: z.array(style), ...paging }),
  annotations: reads,
  run: (asked, call) => listPublished('styles', asked, call),
});

export const libraryTools: readonly FigmaTool[] = [getComponents, getStyles];
