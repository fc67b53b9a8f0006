import { readBounded } from '../tool/body.ts';
import { AnswerTooLarge, UnreadableAnswer } from './errors.ts';

/** Objects and lists in one answer. Figma has some 26,000 of them in a megabyte. */
const maxObjects = 1_500_000;

/** What of a response is read here, so that nothing names the global and loads undici before its time. */
export interface Body {
  readonly headers: { get(name: string): string | null };
  readonly body: ReadableStream<Uint8Array> | null;
}

/** The whole body, never more than limitBytes of it. Throws AnswerTooLarge, UnreadableAnswer, or why it was aborted. */
export async function readBytes({ headers, body }: Body, limitBytes: number, signal: AbortSignal): Promise<Buffer> {
  if (Number(headers.get('content-length')) > limitBytes) {
    discard({ body });
    throw tooLarge(limitBytes);
  }
  let bytes: Buffer | null;
  try {
    bytes = await readBounded(body, limitBytes);
  } catch (error) {
    if (signal.aborted) throw error;
    throw new UnreadableAnswer("Figma's answer was cut off.", { cause: error });
  }
  if (bytes === null) throw tooLarge(limitBytes);
  return bytes;
}

const tooLarge = (limitBytes: number) => new AnswerTooLarge(`${Math.floor(limitBytes / 1024 / 1024)} MiB`);

/** The JSON of a body with its size. Throws what readBytes throws. */
export async function readJson(
  from: Body,
  limitBytes: number,
  signal: AbortSignal,
): Promise<{ data: unknown; bytes: number }> {
  const bytes = await readBytes(from, limitBytes, signal);
  checkObjects(bytes);
  try {
    return { data: JSON.parse(bytes.toString('utf8')), bytes: bytes.length };
  } catch {
    throw new UnreadableAnswer("Figma's answer is no JSON.");
  }
}

/** What JSON of three bytes an object becomes is tens of times as large. Brackets in texts count too. */
function checkObjects(json: Uint8Array): void {
  let objects = 0;
  // By index: an iterator takes ten times as long, a third of a second.
  for (let at = 0, { length } = json; at < length; at += 1) {
    const byte = json[at];
    if (byte === 0x7b || byte === 0x5b) objects += 1;
  }
  if (objects > maxObjects) throw new AnswerTooLarge(`${maxObjects} objects`);
}

/** Lets go of a body that nobody wants. */
export function discard({ body }: Pick<Body, 'body'>): void {
  body?.cancel().catch(() => {});
}
