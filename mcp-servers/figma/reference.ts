import { z } from 'zod';

/** What a person pastes: a file, perhaps with a node in it. */
export interface FileReference {
  readonly fileKey: string;
  /** Of the URL's node-id, with colons; null without one. */
  readonly nodeId: string | null;
}

const keyShape = /^[A-Za-z0-9]{6,128}$/;
const nodeShape = /^I?\d{1,12}:\d{1,12}(;\d{1,12}:\d{1,12}){0,15}$/;
const kinds = new Set(['file', 'design', 'proto', 'board', 'slides', 'deck', 'buzz', 'site', 'make']);

/** A file key, or a URL such as https://www.figma.com/design/<key>/<name>?node-id=1-2; null for anything else. */
export function parseFile(text: string): FileReference | null {
  const trimmed = text.trim();
  if (keyShape.test(trimmed)) return { fileKey: trimmed, nodeId: null };
  if (!URL.canParse(trimmed)) return null;
  const { protocol, hostname, pathname, searchParams } = new URL(trimmed);
  if (protocol !== 'https:' || !(hostname === 'figma.com' || hostname.endsWith('.figma.com'))) return null;
  const [, kind, key, branch, branchKey] = pathname.split('/');
  if (kind === undefined || key === undefined || !kinds.has(kind)) return null;
  // A branch is a file of its own, with a key of its own.
  const fileKey = branch === 'branch' && branchKey !== undefined ? branchKey : key;
  const node = searchParams.get('node-id');
  const nodeId = node === null ? null : parseNodeId(node);
  return keyShape.test(fileKey) && (node === null || nodeId !== null) ? { fileKey, nodeId } : null;
}

/** `1:2`, also from the `1-2` of URLs, or the path of a node within instances, `I5:6;1:2`; null for anything else. */
export function parseNodeId(text: string): string | null {
  const id = text.trim().replaceAll('-', ':');
  return nodeShape.test(id) ? id : null;
}

/** Several node ids joined by commas, each once; null when one of them is none. */
export function parseNodeIds(text: string): string[] | null {
  const ids = text.split(',').map(parseNodeId);
  return ids.includes(null) ? null : [...new Set(ids as string[])];
}

/** Arguments that many tools share, worded once. */
export const file = z
  .string()
  .max(2048, { abort: true })
  .refine(
    text => parseFile(text) !== null,
    'must be a file key (letters and digits) or a URL like https://www.figma.com/design/<key>/<name>?node-id=1-2',
  )
  .describe('Key of the file, or its Figma URL: its node-id is taken where no node is named otherwise');
export const nodeId = z
  .string()
  .max(200, { abort: true })
  .refine(text => parseNodeId(text) !== null, 'must be a node id such as "1:2" or "I5:6;1:2"')
  .describe('Id of a node, such as 1:2');

/** Of an argument that has passed `file`. */
export function readFileReference(text: string): FileReference {
  const found = parseFile(text);
  if (found === null) throw new TypeError('a file reference that was not checked');
  return found;
}

/** Of an argument that has passed `nodeId`. */
export const readNodeId = (text: string): string => text.trim().replaceAll('-', ':');
