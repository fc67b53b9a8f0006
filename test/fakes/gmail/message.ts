import { randomUUID } from 'node:crypto';
import type { gmail_v1 } from '@googleapis/gmail';
import type { MimePart } from './mime.ts';
import type { State, StoredMessage } from './state.ts';

/** Text parts over this come by attachment id. */
const inlineBytes = 100_000;

/** A stored message as the API shows it: `full`, `metadata` or `minimal`. */
export function showMessage(
  state: State,
  { id, threadId, labelIds, internalDate, raw, mime }: StoredMessage,
  query: URLSearchParams,
): gmail_v1.Schema$Message {
  const format = query.get('format') ?? 'full';
  const wanted = query.getAll('metadataHeaders').map(name => name.toLowerCase());
  const headers = mime.headers.filter(({ name }) => wanted.length === 0 || wanted.includes(name.toLowerCase()));
  return {
    id,
    threadId,
    labelIds: [...labelIds],
    snippet: snippetOf(mime),
    historyId: '1',
    internalDate: String(internalDate),
    sizeEstimate: raw.length,
    ...(format === 'full' && { payload: showPart(state, mime, '') }),
    ...(format === 'metadata' && { payload: { mimeType: mime.mimeType, headers } }),
  };
}

function showPart(state: State, part: MimePart, partId: string): gmail_v1.Schema$MessagePart {
  const { mimeType, filename, headers, bytes, parts } = part;
  const apart = filename !== '' || bytes.length > inlineBytes;
  return {
    partId,
    mimeType,
    filename,
    headers,
    body: {
      size: bytes.length,
      ...(bytes.length > 0 && (apart ? { attachmentId: keep(state, bytes) } : { data: bytes.toString('base64url') })),
    },
    ...(parts.length > 0 && {
      parts: parts.map((each, index) => showPart(state, each, partId === '' ? `${index}` : `${partId}.${index}`)),
    }),
  };
}

function keep({ attachments }: State, bytes: Buffer): string {
  const id = `ANGjdJ_${randomUUID().replaceAll('-', '')}`;
  attachments.set(id, bytes);
  return id;
}

/** As HTML text, as Gmail gives it. */
function snippetOf(part: MimePart): string {
  const leaf = part.parts[0] === undefined ? part : null;
  if (leaf === null) return snippetOf(part.parts[0]!);
  return leaf.bytes.toString('latin1').slice(0, 100).replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

/** The query parameter `fields`: only what it names, such as `id,message(threadId,payload/headers)`. */
export function selectFields(value: unknown, fields: string): unknown {
  if (Array.isArray(value)) return value.map(each => selectFields(each, fields));
  if (typeof value !== 'object' || value === null) return value;
  const selected: Record<string, unknown> = {};
  for (const field of splitFields(fields)) {
    const [, name, inner] = /^(\w+)(?:\/(.+)|\((.+)\))?$/.exec(field)?.filter(each => each !== undefined) ?? [];
    const within = (value as Record<string, unknown>)[name!];
    if (within !== undefined) selected[name!] = inner === undefined ? within : selectFields(within, inner);
  }
  return selected;
}

/** At commas outside parentheses. */
function splitFields(fields: string): string[] {
  const found: string[] = [''];
  let depth = 0;
  for (const letter of fields) {
    depth += letter === '(' ? 1 : letter === ')' ? -1 : 0;
    if (letter === ',' && depth === 0) found.push('');
    else found[found.length - 1] += letter;
  }
  return found;
}
