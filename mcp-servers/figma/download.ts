import { isPublic } from '../tool/public-host.ts';
import { discard, readBytes } from './body.ts';

/** What an image of Figma's turned out to be. */
export interface Download {
  readonly bytes: Buffer;
  readonly mimeType: string;
}

/** Why an image was not downloaded; the message is for the model. */
export class NotDownloaded extends Error {
  override readonly name = 'NotDownloaded';
}

const maxRedirects = 3;

/**
 * Downloads an image from where Figma's answer says, without the token. Only https, and only hosts by a public
 * name: an answer must not lead into the network this runs in. Throws NotDownloaded, AnswerTooLarge,
 * UnreadableAnswer, or what fetch throws.
 */
export async function download(
  from: string,
  { origin, maxBytes, signal }: { origin: string; maxBytes: number; signal: AbortSignal },
): Promise<Download> {
  let url = from;
  for (let redirects = 0; redirects <= maxRedirects; redirects += 1) {
    if (!isAllowed(url, origin)) throw new NotDownloaded('Figma names a place that is not downloaded from.');
    const response = await fetch(url, { redirect: 'manual', signal, headers: { 'user-agent': 'minimcp' } });
    const location = response.headers.get('location');
    if (response.status >= 300 && response.status < 400 && location !== null && URL.canParse(location, url)) {
      discard(response);
      url = new URL(location, url).href;
      continue;
    }
    if (!response.ok) {
      discard(response);
      throw new NotDownloaded(`The image could not be downloaded (${response.status}): its URL may have expired.`);
    }
    const bytes = await readBytes(response, maxBytes, signal);
    const mimeType = recognize(bytes);
    if (mimeType === null) throw new NotDownloaded('What was downloaded is no image.');
    return { bytes, mimeType };
  }
  throw new NotDownloaded('The image was redirected too often.');
}

/** https at a public host name and the usual port, or the API's own origin, which a test or a proxy is. */
export function isAllowed(text: string, apiOrigin: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  const bare = url.username === '' && url.password === '';
  return (bare && url.origin === apiOrigin) || isPublic(url);
}

/** By its first bytes: what a server says of it may be wrong. */
export function recognize(bytes: Buffer): string | null {
  const starts = (...head: number[]) => head.every((byte, index) => bytes[index] === byte);
  if (starts(0x89, 0x50, 0x4e, 0x47)) return 'image/png';
  if (starts(0xff, 0xd8, 0xff)) return 'image/jpeg';
  if (starts(0x47, 0x49, 0x46, 0x38)) return 'image/gif';
  if (starts(0x25, 0x50, 0x44, 0x46)) return 'application/pdf';
  const head = bytes.subarray(0, 1000).toString('latin1');
  if (head.startsWith('RIFF') && head.slice(8, 12) === 'WEBP') return 'image/webp';
  // A comment ends where it can end first: were that open, each comment would double the time.
  const svg = /^(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--((?!-->)[^])*-->\s*)*<svg[\s>]/;
  return svg.test(head) ? 'image/svg+xml' : null;
}
