import { AnswerTooLarge, UnreadableAnswer } from './errors.ts';

/** What of a response is read here, so that nothing names the global and loads undici before its time. */
export interface Body {
  readonly headers: { get(name: string): string | null };
  readonly body: ReadableStream<Uint8Array> | null;
}

/** The whole body, never more than limitBytes of it. Throws AnswerTooLarge, UnreadableAnswer, or why it was aborted. */
export async function readBytes({ headers, body }: Body, limitBytes: number, signal: AbortSignal): Promise<Buffer> {
  if (body === null) return Buffer.alloc(0);
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    if (Number(headers.get('content-length')) > limitBytes) throw new AnswerTooLarge(limitBytes);
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      length += part.value.byteLength;
      if (length > limitBytes) throw new AnswerTooLarge(limitBytes);
      chunks.push(part.value);
    }
  } catch (error) {
    // Not awaited: the connection may hang, and what it would still say is of no interest.
    reader.cancel().catch(() => {});
    if (signal.aborted || error instanceof AnswerTooLarge) throw error;
    throw new UnreadableAnswer("Figma's answer was cut off.", { cause: error });
  }
  return Buffer.concat(chunks, length);
}

/** The JSON of a body with its size. Throws what readBytes throws. */
export async function readJson(
  from: Body,
  limitBytes: number,
  signal: AbortSignal,
): Promise<{ data: unknown; bytes: number }> {
  const bytes = await readBytes(from, limitBytes, signal);
  try {
    return { data: JSON.parse(bytes.toString('utf8')), bytes: bytes.length };
  } catch {
    throw new UnreadableAnswer("Figma's answer is no JSON.");
  }
}

/** Lets go of a body that nobody wants. */
export function discard({ body }: Body): void {
  body?.cancel().catch(() => {});
}
