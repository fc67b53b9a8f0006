/**
 * A body that comes byte by byte, all in the same piece of memory: who keeps its chunks until the end, rather
 * than what is in them, reads the last byte again and again.
 */
export function streamReused(text: string): ReadableStream<Uint8Array> {
  const bytes = Buffer.from(text);
  const chunk = new Uint8Array(1);
  let at = 0;
  const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    if (at === bytes.length) return controller.close();
    chunk[0] = bytes[at]!;
    at += 1;
    return controller.enqueue(chunk);
  };
  return new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 });
}
