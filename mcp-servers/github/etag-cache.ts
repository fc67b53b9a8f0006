/** An answer as it came, to be served again when GitHub says that it still holds (304). */
export interface CachedAnswer {
  readonly etag: string;
  readonly headers: Headers;
  readonly body: Buffer;
}

/** By URL and media type; the token is one and the same. What was used last stays longest. */
export interface EtagCache {
  get(key: string): CachedAnswer | null;
  set(key: string, answer: CachedAnswer): void;
}

export interface CacheBounds {
  readonly maxEntries: number;
  readonly maxBytes: number;
}

/** No entry takes more than this part of the room. */
const largestShare = 1 / 4;

export function createEtagCache({ maxEntries, maxBytes }: CacheBounds): EtagCache {
  const entries = new Map<string, CachedAnswer>();
  let bytes = 0;
  const sizeOf = (key: string, { body }: CachedAnswer) => key.length + body.length;
  const remove = (key: string) => {
    const entry = entries.get(key);
    if (entry === undefined) return;
    entries.delete(key);
    bytes -= sizeOf(key, entry);
  };
  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return null;
      entries.delete(key);
      entries.set(key, entry);
      return entry;
    },
    set(key, answer) {
      remove(key);
      if (sizeOf(key, answer) > maxBytes * largestShare) return;
      entries.set(key, answer);
      bytes += sizeOf(key, answer);
      for (const oldest of entries.keys()) {
        if (entries.size <= maxEntries && bytes <= maxBytes) break;
        remove(oldest);
      }
    },
  };
}
