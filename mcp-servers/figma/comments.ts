import type { Comment, GetCommentsResponse, PostCommentRequestBody, PostCommentResponse } from '@figma/rest-api-spec';
import { z } from 'zod';
import { showStructured } from '../tool/result.ts';
import { adds, reads } from '../tool/tool.ts';
import { listOf, textOf } from './design/raw.ts';
import { CannotDo } from './errors.ts';
import { file, nodeId, readFileReference, readNodeId } from './reference.ts';
import { cut, defineTool, page, paging, perPage, takePage } from './tool.ts';
import type { FigmaTool } from './tool.ts';

const maxMessageLength = 5000;
const maxShownLength = 4000;

const comment = z.object({
  id: z.string(),
  parentId: z.string().nullable().describe('The comment this one replies to'),
  user: z.string(),
  message: z.string(),
  createdAt: z.string(),
  resolvedAt: z.string().nullable(),
  nodeId: z.string().nullable().describe('The node it is pinned to'),
  x: z.number().nullable().describe("Pixels from the node's corner, or on the page without a node"),
  y: z.number().nullable(),
});

function showComment({ id, parent_id, user, message, created_at, resolved_at, client_meta: at }: Comment) {
  const pinned = at && 'node_id' in at ? at : null;
  const offset = pinned?.node_offset ?? (at && 'x' in at ? at : null);
  return {
    id: textOf(id),
    parentId: parent_id === undefined || parent_id === '' ? null : parent_id,
    user: user?.handle ?? '',
    message: cut(textOf(message), maxShownLength),
    createdAt: textOf(created_at),
    resolvedAt: resolved_at ?? null,
    nodeId: pinned?.node_id ?? null,
    x: offset?.x ?? null,
    y: offset?.y ?? null,
  } satisfies z.input<typeof comment>;
}

const commentsOutput = z.object({ items: z.array(comment), paging });

const getComments = defineTool({
  name: 'get_comments',
  title: 'Get comments',
  description: 'Comments of a file, newest first, with the node each is pinned to. Replies have a parentId.',
  input: z.object({
    fileKey: file,
    nodeId: nodeId.optional().describe('Only comments pinned to this node, and replies to them'),
    unresolvedOnly: z.boolean().default(false).describe('Leave out resolved threads'),
    page,
    perPage,
  }),
  output: commentsOutput,
  annotations: reads,
  async run(input, { api, signal }) {
    const { fileKey } = readFileReference(input.fileKey);
    const request = { tier: 2, resource: fileKey, path: `/v1/files/${fileKey}/comments` } as const;
    const { data } = await api.client.ask<GetCommentsResponse>({ ...request, query: { as_md: true } }, signal);
    const all = listOf(data.comments).map(showComment);
    const roots = new Map(all.map(each => [each.id, each]));
    const wantedNode = input.nodeId === undefined ? null : readNodeId(input.nodeId);
    const found = all.filter(each => {
      const root = (each.parentId === null ? undefined : roots.get(each.parentId)) ?? each;
      const open = root.resolvedAt === null && each.resolvedAt === null;
      return (!input.unresolvedOnly || open) && (wantedNode === null || root.nodeId === wantedNode);
    });
    const newestFirst = found.toSorted((a, b) => b.createdAt.localeCompare(a.createdAt));
    return showStructured(takePage(newestFirst, input) satisfies z.input<typeof commentsOutput>);
  },
});

const coordinate = z.number().min(-1_000_000).max(1_000_000);

const postComment = defineTool({
  name: 'post_comment',
  title: 'Post a comment',
  description:
    'Adds a comment to a file, seen by everyone with access: pinned to a node, at a place on the canvas, or as a reply ' +
    "to a thread's first comment.",
  input: z.object({
    fileKey: file,
    message: z.string().trim().min(1).max(maxMessageLength).describe('Text of the comment'),
    commentId: z
      .string()
      .regex(/^\d{1,30}$/, 'must be the id of a comment, digits only')
      .optional()
      .describe('Reply to this comment, which must be no reply itself'),
    nodeId: nodeId.optional().describe('Pin it to this node'),
    x: coordinate.optional().describe("Pixels right of the node's corner; without a node, of the canvas's origin"),
    y: coordinate.optional().describe('Pixels below it'),
  }),
  output: comment,
  annotations: adds,
  async run(input, { api, signal }) {
    const { fileKey, nodeId: named } = readFileReference(input.fileKey);
    const { message, commentId, x, y } = input;
    const isReply = commentId !== undefined;
    if (isReply && (input.nodeId !== undefined || x !== undefined || y !== undefined)) {
      throw new CannotDo('A reply stands with its thread: give either commentId, or nodeId, x and y.');
    }
    // Of a URL with a node, where nothing else says a place.
    const pinned = input.nodeId !== undefined ? readNodeId(input.nodeId) : isReply || x !== undefined ? null : named;
    if (pinned === null && (x === undefined) !== (y === undefined)) {
      throw new CannotDo('A place on the canvas needs both x and y.');
    }
    const body: PostCommentRequestBody = {
      message,
      ...(isReply && { comment_id: commentId }),
      ...(pinned !== null && { client_meta: { node_id: pinned, node_offset: { x: x ?? 0, y: y ?? 0 } } }),
      ...(pinned === null && x !== undefined && y !== undefined && { client_meta: { x, y } }),
    };
    const request = { tier: 2, resource: fileKey, path: `/v1/files/${fileKey}/comments`, body } as const;
    const { data } = await api.client.ask<PostCommentResponse>(request, signal);
    return showStructured(showComment(data));
  },
});

export const commentTools: readonly FigmaTool[] = [getComments, postComment];
