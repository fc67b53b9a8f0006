import type {
  Comment,
  GetFileMetaResponse,
  GetFileNodesResponse,
  GetFileResponse,
  Node,
  PostCommentRequestBody,
} from '@figma/rest-api-spec';
import type { VendorCall, VendorReply } from '../vendor.ts';
import { writeDeep } from './designs.ts';
import { listFills, renderNodes } from './images.ts';
import { ada, buildComponents, buildStyles, buildVariables, writtenAt } from './library.ts';
import { failed, notFound, ok, takePage } from './reply.ts';
import type { FileState, State } from './state.ts';

/** Answers a call that has passed authentication. */
export function answer(state: State, call: VendorCall): VendorReply {
  const [, version, kind, key = '', ...rest] = call.path.split('/');
  if (version !== 'v1') return notFound();
  if (kind === 'teams') return key === state.teamId ? answerTeam(rest.join('/'), call) : notFound();
  if (kind === 'files' && /^Deep\d*$/.test(key)) return answerDeep(rest.join('/'));
  const file = state.files.get(key);
  if (file === undefined) return notFound();
  if (kind === 'images') return renderNodes(state, call);
  return kind === 'files' ? answerFile(state, file, rest.join('/'), call) : notFound();
}

function answerTeam(rest: string, call: VendorCall): VendorReply {
  const { page, cursor } = takePage(
    rest === 'styles' ? buildStyles('Library', 70) : buildComponents('Library', 70),
    call,
  );
  const meta = { [rest]: page, ...(cursor && { cursor }) };
  return rest === 'components' || rest === 'styles' ? ok({ status: 200, error: false, meta }) : notFound();
}

function answerFile(state: State, file: FileState, rest: string, call: VendorCall): VendorReply {
  switch (rest) {
    case '':
      return readFile(file, call);
    case 'nodes':
      return readNodes(file, call);
    case 'meta':
      return readMeta(file);
    case 'images':
      return listFills(state, call);
    case 'comments':
      return call.method === 'POST' ? postComment(file, call.body) : ok({ comments: file.comments });
    case 'components':
      return ok({ status: 200, error: false, meta: { components: buildComponents(file.key, 70) } });
    case 'styles':
      return ok({ status: 200, error: false, meta: { styles: buildStyles(file.key, 70) } });
    case 'variables/local':
      return ok({ status: 200, error: false, meta: buildVariables() });
    default:
      return notFound();
  }
}

const about = ({ design, version }: FileState) => ({
  name: design.name,
  role: 'viewer' as const,
  lastModified: writtenAt,
  editorType: 'figma' as const,
  thumbnailUrl: 'https://figma.test/thumbnail.png',
  version: String(version),
});

const legend = ({ components, componentSets, styles }: FileState['design']) => ({
  components,
  componentSets,
  styles,
  schemaVersion: 0,
});

function readFile(file: FileState, { query }: VendorCall): VendorReply {
  const body: GetFileResponse = {
    ...about(file),
    ...legend(file.design),
    document: cutBelow(file.design.document, readDepth(query)),
  };
  return ok(body);
}

function readNodes(file: FileState, { query }: VendorCall): VendorReply {
  const ids = (query.get('ids') ?? '').split(',');
  const nodes: Record<string, GetFileNodesResponse['nodes'][string] | null> = {};
  for (const id of ids) {
    const found = find(file.design.document, id);
    nodes[id] = found && { document: cutBelow(found, readDepth(query)), ...legend(file.design) };
  }
  return ok({ ...about(file), nodes });
}

function readMeta(file: FileState): VendorReply {
  const body: GetFileMetaResponse = {
    file: {
      name: file.design.name,
      folder_name: 'Marketing',
      last_touched_at: writtenAt,
      creator: ada,
      last_touched_by: { ...ada, handle: 'Grace' },
      editorType: 'figma',
      role: 'viewer',
      link_access: 'view',
      url: `https://www.figma.com/design/${file.key}`,
      version: String(file.version),
    },
  };
  return ok(body);
}

function postComment(file: FileState, body: unknown): VendorReply {
  const { message, comment_id, client_meta } = (body ?? {}) as Partial<PostCommentRequestBody>;
  const parent = file.comments.find(({ id }) => id === comment_id);
  if (typeof message !== 'string') return failed(400, 'message is missing');
  if (comment_id !== undefined && parent === undefined) return notFound();
  const comment: Comment = {
    id: String(file.comments.length + 1),
    client_meta: parent?.client_meta ?? client_meta ?? { x: 0, y: 0 },
    file_key: file.key,
    ...(comment_id !== undefined && { parent_id: comment_id }),
    user: ada,
    created_at: '2026-11-20T12:00:00Z',
    resolved_at: null,
    message,
    order_id: null,
    reactions: [],
  };
  file.comments.push(comment);
  return ok(comment);
}

function answerDeep(rest: string): VendorReply {
  return rest === '' ? { status: 200, body: writeDeep(60_000) } : notFound();
}

const readDepth = (query: URLSearchParams): number => Number(query.get('depth') ?? Infinity);

function cutBelow<T extends Node>(node: T, depth: number): T {
  if (!('children' in node)) return node;
  return depth === 0
    ? { ...node, children: undefined }
    : { ...node, children: node.children.map((child: Node) => cutBelow(child, depth - 1)) };
}

function find(node: Node, id: string): Node | null {
  if (node.id === id) return node;
  for (const child of 'children' in node ? node.children : []) {
    const found = find(child, id);
    if (found !== null) return found;
  }
  return null;
}
