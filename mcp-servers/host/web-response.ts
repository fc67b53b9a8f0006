/**
 * What build.ts puts in place of the global `Response` in the bundled host: the part of it that the MCP SDK
 * uses and web.ts reads. From source the host runs with the real one. Node's drags in undici: 45 ms of CPU
 * and 15 MB per host, before the first answer.
 */
interface ResponseInit {
  status?: number;
  statusText?: string;
  headers?: Record<string, string> | Headers;
}

class Headers {
  readonly #values = new Map<string, string>();

  constructor(initial: Record<string, string> | Headers = {}) {
    const entries = initial instanceof Headers ? initial : Object.entries(initial);
    for (const [name, value] of entries) this.#values.set(name.toLowerCase(), value);
  }

  get(name: string): string | null {
    return this.#values.get(name.toLowerCase()) ?? null;
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.#values.entries();
  }
}

class WebResponse {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly body: ReadableStream<Uint8Array> | null;

  constructor(body: string | ReadableStream<Uint8Array> | null, init: ResponseInit = {}) {
    this.status = init.status ?? 200;
    this.statusText = init.statusText ?? '';
    this.headers = init.headers instanceof Headers ? init.headers : new Headers(init.headers);
    this.body = typeof body === 'string' ? ReadableStream.from([Buffer.from(body)]) : body;
  }

  static json(value: unknown, init: ResponseInit = {}): WebResponse {
    const headers = new Headers(init.headers);
    return new WebResponse(JSON.stringify(value), {
      ...init,
      headers: { 'content-type': 'application/json', ...Object.fromEntries(headers) },
    });
  }
}

export { WebResponse as Response };
