/**
 * Mail text is bytes with a charset it claims. Valid UTF-8 is taken as such, for that is what Gmail makes of most
 * texts whatever their header still says; charsets that look like it but are not say so by their escapes.
 */
export function decodeText(bytes: Uint8Array, charset: string | undefined): string {
  const escaped = /^(iso-2022-|utf-7|utf-16|hz-)/i.test(charset ?? '') && (bytes.includes(0x1b) || bytes.includes(0));
  return (escaped ? null : tryDecode(bytes, 'utf-8')) ?? tryDecode(bytes, charset) ?? decode(bytes, 'windows-1252');
}

/** Null where the bytes are not of this charset, or nobody knows it. */
function tryDecode(bytes: Uint8Array, charset: string | undefined): string | null {
  if (charset === undefined) return null;
  try {
    return decode(bytes, charset, true);
  } catch {
    return null;
  }
}

function decode(bytes: Uint8Array, charset: string, fatal = false): string {
  return new TextDecoder(charset, { fatal }).decode(bytes);
}

/** A header's encoded words (RFC 2047) as text; those split over several words are joined before decoding. */
export function decodeHeader(value: string): string {
  const word = /=\?([\w-]+)(?:\*[\w-]+)?\?([bq])\?([^?\s]*)\?=/gi;
  const words = /(?:=\?[\w-]+(?:\*[\w-]+)?\?[bq]\?[^?\s]*\?=)(?:\s+=\?[\w-]+(?:\*[\w-]+)?\?[bq]\?[^?\s]*\?=)*/gi;
  return value.replaceAll(words, run => {
    const parts: { charset: string; bytes: Buffer }[] = [];
    for (const [, charset, encoding, text] of run.matchAll(word)) {
      const bytes = encoding!.toLowerCase() === 'b' ? Buffer.from(text!, 'base64') : decodeQ(text!);
      const last = parts.at(-1);
      if (last?.charset === charset!.toLowerCase()) last.bytes = Buffer.concat([last.bytes, bytes]);
      else parts.push({ charset: charset!.toLowerCase(), bytes });
    }
    return parts.map(({ charset, bytes }) => decodeText(bytes, charset)).join('');
  });
}

function decodeQ(text: string): Buffer {
  const latin = text
    .replaceAll('_', ' ')
    .replaceAll(/=([0-9A-F]{2})/gi, (_all, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(latin, 'latin1');
}
