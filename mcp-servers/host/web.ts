import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * The web-standard Request and Response as far as the SDK's handler uses them. Node's own come with undici,
 * which costs a starting host 45 ms of CPU and 15 MB: build.ts gives the SDK webResponse() in place of the
 * global Response, and this file never names either global.
 */
export interface RequestHead {
  readonly method: string;
  readonly headers: { get(name: string): string | null };
  readonly signal: AbortSignal;
}

export function readHead(request: IncomingMessage, signal: AbortSignal): RequestHead {
  const { headers, method } = request;
  return {
    method: method ?? 'GET',
    headers: {
      get(name) {
        const value = headers[name.toLowerCase()];
        return Array.isArray(value) ? value.join(', ') : (value ?? null);
      },
    },
    signal,
  };
}

/** Bodies over this are refused with 413: the SDK's own limit. */
export const maxBodyBytes = 4 * 1024 * 1024;

export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge';
}

/** The whole body as text. Throws BodyTooLarge, or an error when the client goes away. */
export function readBody(request: IncomingMessage, limitBytes = maxBodyBytes): Promise<string> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let length = Number(request.headers['content-length']) > limitBytes ? Infinity : 0;
    // No `for await`: leaving it early destroys the socket, and with it the answer that says why.
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= limitBytes) return chunks.push(chunk);
      chunks = [];
      return reject(new BodyTooLarge());
    });
    request.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    request.once('error', reject);
    request.once('close', () => reject(new Error('The client went away within its request.')));
    if (length === Infinity) reject(new BodyTooLarge());
  });
}

/**
 * Sends a response of the handler, as fast as the client reads it and no further than it stays. Another status
 * is for an answer that is not a stream; `farewell` is the end of a stream that this side breaks off.
 */
export async function writeResponse(
  target: ServerResponse,
  response: Response,
  signal: AbortSignal,
  status = response.status,
  farewell: () => string = () => '',
): Promise<void> {
  const headers: Record<string, string> = {};
  // The SDK says keep-alive to everyone; only Node knows whether the client asked to close.
  for (const [name, value] of response.headers) if (name !== 'connection') headers[name] = value;
  target.writeHead(headers['content-type'] === 'application/json' ? status : response.status, headers);
  try {
    for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      if (signal.aborted) break;
      if (!target.write(chunk)) await writable(target, signal);
    }
  } catch {
    // The exchange was torn down on its other side: what was sent stands, and the stream ends here.
  }
  target.end(signal.aborted && !target.destroyed ? farewell() : '');
}

function writable(target: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const settle = () => {
      target.off('drain', settle);
      target.off('close', settle);
      signal.removeEventListener('abort', settle);
      resolve();
    };
    target.once('drain', settle);
    target.once('close', settle);
    signal.addEventListener('abort', settle, { once: true });
  });
}

/** A short JSON answer. */
export function writeJson(target: ServerResponse, status: number, body: object, headers: Record<string, string> = {}) {
  if (target.headersSent || target.destroyed) return;
  target.writeHead(status, { 'content-type': 'application/json', ...headers });
  target.end(JSON.stringify(body));
}

/** How long a client may go on sending after its answer was final. */
const unreadMs = 1000;

/**
 * A short JSON answer after which the connection closes: once what the client still sends is read, for closed
 * under a client that writes it would lose this answer. But not for long.
 */
export function writeFinalJson(
  request: IncomingMessage,
  target: ServerResponse,
  status: number,
  body: object,
  headers: Record<string, string> = {},
) {
  if (target.headersSent || target.destroyed) return;
  const text = JSON.stringify(body);
  const length = Buffer.byteLength(text);
  target.writeHead(status, {
    'content-type': 'application/json',
    'content-length': length,
    ...headers,
    connection: 'close',
  });
  target.write(text);
  const timer = setTimeout(() => target.end(), unreadMs);
  const end = () => {
    clearTimeout(timer);
    target.end();
  };
  request.once('end', end).once('close', end).resume();
}
