import { createServer, request } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HeaderProxy {
  /** The target's path behind the proxy's address. */
  readonly url: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * For clients that cannot send a token: passes every request on to the target with these headers added, and
 * everything back as it comes, streams included. Host becomes the target's where the client meant this proxy;
 * another one is foreign and stays, for the target to judge.
 */
export async function startHeaderProxy(target: string, headers: Record<string, string>): Promise<HeaderProxy> {
  const { host, hostname, port, pathname } = new URL(target);
  const server = createServer((incoming, response) => {
    const own =
      incoming.headers.host === `127.0.0.1:${ownPort()}` || incoming.headers.host === `localhost:${ownPort()}`;
    const outgoing = request({
      hostname,
      port,
      method: incoming.method!,
      path: incoming.url!,
      headers: { ...incoming.headers, ...headers, ...(own && { host }) },
    });
    // Whoever leaves first takes the other side along: an abandoned stream must not look open to the target.
    response.once('close', () => outgoing.destroy());
    outgoing.once('response', answer => passBack(answer, response));
    outgoing.once('error', () => fail(response));
    incoming.pipe(outgoing);
  });
  const ownPort = () => (server.address() as AddressInfo).port;
  // The clients' idea of how long a connection lasts counts, not this proxy's.
  server.keepAliveTimeout = 60_000;
  await new Promise<void>(done => {
    server.listen(0, '127.0.0.1', done);
  });
  return {
    url: `http://127.0.0.1:${ownPort()}${pathname}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise(done => {
        server.close(done);
      });
      server.closeAllConnections();
      await closed;
    },
  };
}

function passBack(answer: IncomingMessage, response: ServerResponse): void {
  response.writeHead(answer.statusCode!, withoutHops(answer.headers));
  // The head of a stream that has nothing to say yet is an answer, too.
  response.flushHeaders();
  answer.once('aborted', () => response.destroy());
  answer.pipe(response);
}

function fail(response: ServerResponse): void {
  if (response.headersSent) response.destroy();
  else response.writeHead(502).end();
}

/** What concerns one connection is not passed on to another. */
function withoutHops(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { connection: _, 'keep-alive': __, 'transfer-encoding': ___, ...rest } = headers;
  return rest;
}
