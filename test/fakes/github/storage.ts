import { createServer } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Another origin, to which GitHub refers for logs. It must never see a token. */
export interface Storage {
  url: string;
  readonly calls: { path: string; headers: IncomingHttpHeaders }[];
  /** Answered instead of a log while it is set. */
  status: number | null;
}

export function startStorage(read: (job: number) => string | undefined): Storage {
  const storage: Storage = { url: '', calls: [], status: null };
  const server = createServer(({ url, headers }, response) => {
    storage.calls.push({ path: url ?? '', headers });
    const log = read(Number(/^\/log\/(\d+)/.exec(url ?? '')?.[1]));
    if (storage.status !== null || log === undefined) {
      response.writeHead(storage.status ?? 404, { 'content-type': 'application/xml' }).end('<Error/>');
    } else response.writeHead(200, { 'content-type': 'text/plain' }).end(log);
  });
  server.listen(0, '127.0.0.1', () => {
    storage.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  return storage;
}
