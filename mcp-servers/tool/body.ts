/**
 * Bodies of vendors' answers. What comes is copied into one piece of memory: a sender may cut its answer into
 * chunks of a byte, and each chunk that is kept takes hundreds of bytes.
 */
export type Body = ReadableStream<Uint8Array> | null;

const firstBytes = 16 * 1024;

/** The whole body; null, and nothing more is read, when it has more than limitBytes. Throws what the body throws. */
export async function readBounded(body: Body, limitBytes: number): Promise<Buffer<ArrayBuffer> | null> {
  const store = createStore();
  const whole = await forEachChunk(body, chunk => {
    if (store.length() + chunk.length > limitBytes) return false;
    store.add(chunk);
    return true;
  });
  return whole ? store.take() : null;
}

/** The last keepBytes of a body of any length, and how long it is. Throws what the body throws. */
export async function readEnd(body: Body, keepBytes: number): Promise<{ end: Buffer; totalBytes: number }> {
  const store = createStore();
  let totalBytes = 0;
  await forEachChunk(body, chunk => {
    totalBytes += chunk.length;
    const last = chunk.subarray(-keepBytes);
    // Moved to the front once per keepBytes, not with each chunk.
    if (store.length() + last.length > 2 * keepBytes) store.keepLast(keepBytes);
    store.add(last);
    return true;
  });
  return { end: store.take().subarray(-keepBytes), totalBytes };
}

/** False when `take` wants no more. A chunk is only good until the next one. */
async function forEachChunk(body: Body, take: (chunk: Uint8Array) => boolean): Promise<boolean> {
  if (body === null) return true;
  const reader = body.getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (!take(part.value)) return false;
    }
    return true;
  } finally {
    // Not awaited: the connection may hang, and what it would still say is of no interest.
    reader.cancel().catch(() => {});
  }
}

function createStore() {
  let bytes = new Uint8Array(firstBytes);
  let length = 0;
  return {
    length: () => length,
    add(chunk: Uint8Array): void {
      const needed = length + chunk.length;
      if (needed > bytes.length) bytes = new Uint8Array(bytes.buffer.transfer(Math.max(needed, 2 * bytes.length)));
      bytes.set(chunk, length);
      length = needed;
    },
    keepLast(count: number): void {
      bytes.copyWithin(0, length - count, length);
      length = count;
    },
    /** All of it, in memory of that very size; nothing can be added any more. */
    take: (): Buffer<ArrayBuffer> => Buffer.from(bytes.buffer.transfer(length)),
  };
}
