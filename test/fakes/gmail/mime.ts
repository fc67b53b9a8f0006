/** Mail as bytes (RFC 5322, MIME) into its parts: what the fake makes of a raw message, and tests of one sent. */

export interface MimePart {
  readonly headers: { name: string; value: string }[];
  /** Lower case, without parameters. */
  readonly mimeType: string;
  readonly filename: string;
  /** Of a leaf, transfer encoding undone; empty for multipart. */
  readonly bytes: Buffer;
  readonly parts: readonly MimePart[];
}

export function parseMime(raw: Buffer): MimePart {
  return parsePart(raw.toString('latin1'));
}

/** Unfolded, encoded words left as they are. */
export function headerOf(part: MimePart, name: string): string | undefined {
  return part.headers.find(header => header.name.toLowerCase() === name.toLowerCase())?.value;
}

function parsePart(text: string): MimePart {
  const [, head, body = ''] = /^([\s\S]*?)\r?\n\r?\n([\s\S]*)$/.exec(text) ?? ['', text];
  const headers = head
    .replaceAll(/\r?\n[ \t]+/g, ' ')
    .split(/\r?\n/)
    .filter(line => line.includes(':'))
    .map(line => ({ name: line.slice(0, line.indexOf(':')), value: line.slice(line.indexOf(':') + 1).trim() }));
  const header = (name: string) => headers.find(each => each.name.toLowerCase() === name)?.value ?? '';
  const type = header('content-type') || 'text/plain';
  const mimeType = type.split(';')[0]!.trim().toLowerCase();
  const filename = parameter(header('content-disposition'), 'filename') ?? parameter(type, 'name') ?? '';
  const boundary = parameter(type, 'boundary');
  const split = mimeType.startsWith('multipart/') && boundary !== undefined;
  return {
    headers,
    mimeType,
    filename,
    bytes: split ? Buffer.alloc(0) : decodeTransfer(body, header('content-transfer-encoding').toLowerCase()),
    parts: split ? splitParts(body, boundary).map(parsePart) : mimeType === 'message/rfc822' ? [parsePart(body)] : [],
  };
}

function parameter(header: string, name: string): string | undefined {
  const match = new RegExp(`;\\s*${name}\\*?=(?:"([^"]*)"|([^\\s;]+))`, 'i').exec(header);
  const value = match?.[1] ?? match?.[2];
  return value?.startsWith("utf-8''") === true ? decodeURIComponent(value.slice("utf-8''".length)) : value;
}

function splitParts(body: string, boundary: string): string[] {
  const pieces = `\n${body}`.split(`\n--${boundary}`);
  return pieces
    .slice(1)
    .filter(piece => !piece.startsWith('--'))
    .map(piece => piece.replace(/^[ \t]*\r?\n/, '').replace(/\r$/, ''));
}

function decodeTransfer(body: string, encoding: string): Buffer {
  if (encoding === 'base64') return Buffer.from(body, 'base64');
  if (encoding !== 'quoted-printable') return Buffer.from(body, 'latin1');
  const text = body
    .replaceAll(/[ \t]*=\r?\n/g, '')
    .replaceAll(/=([0-9A-F]{2})/gi, (_all, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(text, 'latin1');
}
