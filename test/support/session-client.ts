import { resolve } from 'node:path';
import { post } from './clients.ts';
import { fixture } from './fixture.ts';
import { startHost } from './host.ts';
import type { HostOptions, TestHost } from './host.ts';
import type { SessionLimits } from '../../mcp-servers/stdio/sessions.ts';
import { until } from './until.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- whatever the server said; tests assert its shape
type Message = any;

export interface SseEvent {
  readonly id: string | null;
  readonly retry: string | null;
  /** Null for an event that only says where to go on. */
  readonly message: Message;
}

/** An answer of server-sent events as it comes in. */
export interface Reading {
  readonly status: number;
  readonly headers: Headers;
  readonly events: SseEvent[];
  readonly over: boolean;
  readonly ended: Promise<void>;
  /** The messages so far. */
  messages(): Message[];
  /** Waits for a message. */
  next(what: string, isIt: (message: Message) => boolean): Promise<Message>;
  close(): void;
}

/** A legacy session by hand, message by message. */
export interface RawSession {
  readonly id: string;
  readonly headers: Record<string, string>;
  post(body: unknown, headers?: Record<string, string>): Promise<Response>;
  /** Posts a request and reads its stream. */
  ask(id: string | number, method: string, params?: object): Promise<Reading>;
  /** Calls a tool and waits for the text of its result. */
  call(id: string | number, name: string, args?: object): Promise<string>;
  listen(headers?: Record<string, string>): Promise<Reading>;
  end(): Promise<Response>;
}

export const initialize = (id: string | number = 0, capabilities: object = {}) => ({
  jsonrpc: '2.0',
  id,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 'test', version: '1' } },
});

const setLimits = resolve(import.meta.dirname, 'sessions-main.ts');

/** A host with a stdio child per session; `limits` in place of the usual ones. */
export function startSessionHost(
  limits: Partial<SessionLimits> = {},
  { command = fixture('asks'), ...options }: HostOptions = {},
): Promise<TestHost> {
  const own = { NODE_OPTIONS: `--import=${setLimits}`, SESSION_LIMITS: JSON.stringify(limits) };
  return startHost({
    command,
    config: { isolation: 'session' },
    ...options,
    // The limits are not in what was built.
    ...(Object.keys(limits).length > 0 && { form: 'source', env: { ...own, ...options.env } }),
  });
}

export async function openSession(
  host: TestHost,
  { token = host.token, capabilities = {} }: { token?: string; capabilities?: object } = {},
): Promise<RawSession> {
  const target = { url: host.url, token };
  const answer = await post(target, initialize(0, capabilities));
  const id = answer.headers.get('mcp-session-id');
  const text = await answer.text();
  if (id === null) throw new Error(`no session: ${answer.status} ${text}`);
  const headers = { 'mcp-session-id': id, 'mcp-protocol-version': '2025-11-25' };
  const session: RawSession = {
    id,
    headers,
    post: (body, more = {}) => post(target, body, { ...headers, ...more }),
    ask: async (requestId, method, params) =>
      read(await session.post({ jsonrpc: '2.0', id: requestId, method, ...(params && { params }) })),
    async call(requestId, name, args = {}) {
      const reading = await session.ask(requestId, 'tools/call', { name, arguments: args });
      const message = await reading.next(`an answer to ${name}`, each => each.id === requestId && !('method' in each));
      return message.error?.message ?? message.result.content[0].text;
    },
    async listen(more = {}) {
      const abort = new AbortController();
      const authorization = `Bearer ${token}`;
      const accept = 'text/event-stream';
      const init = { headers: { authorization, accept, ...headers, ...more }, signal: abort.signal };
      return read(await fetch(host.url, init), abort);
    },
    end: () => fetch(host.url, { method: 'DELETE', headers: { authorization: `Bearer ${token}`, ...headers } }),
  };
  return session;
}

/** Reads a response's events, or its one JSON message. */
export function read(response: Response, abort = new AbortController()): Reading {
  const events: SseEvent[] = [];
  let over = false;
  const reader = response.body?.getReader();
  const take = async () => {
    const decoder = new TextDecoder();
    let text = '';
    try {
      for (let part = await reader?.read(); part !== undefined && !part.done; part = await reader?.read()) {
        text += decoder.decode(part.value, { stream: true });
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          events.push(parseEvent(text.slice(0, end)));
          text = text.slice(end + 2);
        }
      }
      if (text.trim().startsWith('{')) events.push({ id: null, retry: null, message: JSON.parse(text) });
    } catch {
      // Broken off by one side or the other: over in both cases.
    }
    over = true;
  };
  const messages = () => events.map(({ message }) => message).filter(message => message !== null);
  return {
    status: response.status,
    headers: response.headers,
    events,
    get over() {
      return over;
    },
    ended: take(),
    messages,
    next: (what, isIt) => until(what, () => messages().find(isIt)),
    close() {
      abort.abort();
      void reader?.cancel().catch(() => {});
    },
  };
}

function parseEvent(block: string): SseEvent {
  const fields = new Map(
    block.split('\n').map(line => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
    }),
  );
  const data = fields.get('data') ?? '';
  return {
    id: fields.get('id') ?? null,
    retry: fields.get('retry') ?? null,
    message: data === '' ? null : JSON.parse(data),
  };
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
