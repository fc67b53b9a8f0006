import { until } from './until.ts';

export interface SseMessage {
  readonly event: string;
  readonly id: string | null;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- whatever the stream said; tests assert its shape
  readonly data: any;
}

export interface SseClient {
  readonly status: number;
  readonly headers: Headers;
  /** Everything received so far. */
  readonly messages: SseMessage[];
  /** Id of the last message that had one: what a browser would resume with. */
  readonly lastId: string | null;
  readonly isOver: boolean;
  /** Waits for a message; fails after 15 s. */
  next(what: string, isIt: (message: SseMessage) => boolean): Promise<SseMessage>;
  close(): void;
}

/** Reads server-sent events as a browser does. For an answer that is no stream, `problem` of it is thrown. */
export async function openSse(url: string, token: string, headers: Record<string, string> = {}): Promise<SseClient> {
  const abort = new AbortController();
  const response = await fetch(url, {
    headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream', ...headers },
    signal: abort.signal,
  });
  if (response.headers.get('content-type') !== 'text/event-stream') {
    throw Object.assign(new Error(`no stream: ${response.status}`), {
      status: response.status,
      body: await response.json(),
    });
  }
  const messages: SseMessage[] = [];
  let lastId: string | null = null;
  let isOver = false;
  void (async () => {
    let text = '';
    try {
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        text += chunk;
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const message = parseMessage(text.slice(0, end));
          text = text.slice(end + 2);
          if (message === null) continue;
          lastId = message.id ?? lastId;
          messages.push(message);
        }
      }
    } catch {
      // Closed by this side, or broken off by the other: over in both cases.
    }
    isOver = true;
  })();
  return {
    status: response.status,
    headers: response.headers,
    messages,
    get lastId() {
      return lastId;
    },
    get isOver() {
      return isOver;
    },
    next: async (what, isIt) => await until(what, () => messages.find(isIt)),
    close: () => abort.abort(),
  };
}

function parseMessage(block: string): SseMessage | null {
  const fields = new Map(
    block.split('\n').map(line => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trimStart()] as const;
    }),
  );
  const data = fields.get('data');
  if (data === undefined) return null;
  return { event: fields.get('event') ?? 'message', id: fields.get('id') ?? null, data: JSON.parse(data) };
}
