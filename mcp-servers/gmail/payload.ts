import type { gmail_v1 } from '@googleapis/gmail';
import { decodeHeader, decodeText } from './charset.ts';
import { convertHtml } from './html.ts';
import type { HtmlBudget } from './html.ts';

export type Message = gmail_v1.Schema$Message;
export type Part = gmail_v1.Schema$MessagePart;

/** A header of this many characters has been written to be a burden. */
const maxHeaderLength = 20_000;
/** Mail may nest deeper than any that people write. */
const maxDepth = 20;

export interface Attachment {
  /** The part's number, such as "1.2": unlike Gmail's attachment ids it does not change with every answer. */
  readonly id: string;
  readonly filename: string;
  readonly mimeType: string;
  /** Bytes. */
  readonly size: number;
  /** Part of the look of the mail rather than sent along. */
  readonly inline: boolean;
}

/** A header's value as people read it; undefined without it. */
export function readHeader(part: Part | undefined, name: string): string | undefined {
  const found = part?.headers?.find(header => header.name?.toLowerCase() === name.toLowerCase())?.value;
  return found === undefined || found === null
    ? undefined
    : decodeHeader(found.slice(0, maxHeaderLength).replaceAll(/\r?\n[ \t]+/g, ' '));
}

export function findAttachments(payload: Part | undefined): { part: Part; attachment: Attachment }[] {
  return [...walk(payload)].filter(isAttachment).map(part => ({
    part,
    attachment: {
      id: part.partId === undefined || part.partId === null || part.partId === '' ? '0' : part.partId,
      filename: decodeHeader((part.filename ?? '').slice(0, 1000)).slice(0, 255),
      mimeType: typeOf(part).slice(0, 127),
      size: part.body?.size ?? 0,
      inline: /^\s*inline/i.test(readHeader(part, 'Content-Disposition') ?? ''),
    },
  }));
}

/** How a part's bytes are had where the message comes without them. */
export type LoadPart = (attachmentId: string) => Promise<Buffer>;

export interface BodyReading {
  readonly load: LoadPart;
  /** Of all bodies that the call reads. */
  readonly budget: HtmlBudget;
  readonly signal: AbortSignal;
}

/** The text of a mail: plain where it has one, else its HTML as text; without attachments. */
export async function readBody(payload: Part | undefined, reading: BodyReading): Promise<string> {
  return payload === undefined ? '' : (await readPart(payload, reading, 0)).trim();
}

async function readPart(part: Part, reading: BodyReading, depth: number): Promise<string> {
  if (depth > maxDepth || isAttachment(part)) return '';
  const type = typeOf(part);
  if (type === 'multipart/alternative') return readAlternative(part, reading, depth);
  if (part.parts !== undefined && part.parts !== null && part.parts.length > 0) {
    const texts: string[] = [];
    for (const each of part.parts) texts.push(await readPart(each, reading, depth + 1));
    return texts.filter(text => text.trim() !== '').join('\n\n');
  }
  if (type !== 'text/plain' && type !== 'text/html') return '';
  const { load, budget, signal } = reading;
  signal.throwIfAborted();
  const bytes = await readBytes(part, load);
  const text = decodeText(bytes, charsetOf(part)).replaceAll('\r\n', '\n');
  return type === 'text/html' ? convertHtml(text, budget, signal) : text;
}

/** The same in several forms: the plain one, else the last that says anything. */
async function readAlternative({ parts }: Part, reading: BodyReading, depth: number): Promise<string> {
  const plainFirst = (parts ?? []).toReversed().toSorted((a, b) => rank(a) - rank(b));
  for (const part of plainFirst) {
    const text = await readPart(part, reading, depth + 1);
    if (text.trim() !== '') return text;
  }
  return '';
}

const rank = (part: Part): number => (typeOf(part) === 'text/plain' ? 0 : 1);

export async function readBytes({ body }: Part, load: LoadPart): Promise<Buffer> {
  if (typeof body?.data === 'string') return Buffer.from(body.data, 'base64url');
  return typeof body?.attachmentId === 'string' ? load(body.attachmentId) : Buffer.alloc(0);
}

export function charsetOf(part: Part): string | undefined {
  return /charset\s*=\s*"?([\w.:-]+)/i.exec(readHeader(part, 'Content-Type') ?? '')?.[1];
}

function typeOf(part: Part): string {
  return (part.mimeType ?? 'application/octet-stream').toLowerCase();
}

/** A forwarded mail that comes as a file counts whole: what it contains is not this mail's text. */
function isAttachment(part: Part): boolean {
  if (typeof part.filename === 'string' && part.filename !== '') return true;
  const disposition = readHeader(part, 'Content-Disposition') ?? '';
  const type = typeOf(part);
  if (/^\s*attachment/i.test(disposition) || type === 'message/rfc822') return true;
  const shown = /^(multipart\/|text\/(plain|html|x-amp-html)$)/.test(type);
  return !shown && (part.body?.size ?? 0) > 0;
}

function* walk(part: Part | undefined, depth = 0): Generator<Part> {
  if (part === undefined || depth > maxDepth) return;
  yield part;
  if (isAttachment(part)) return;
  for (const each of part.parts ?? []) yield* walk(each, depth + 1);
}
