import http from 'node:http';
import { hostHealth } from '../specs/assignment.ts';
import type { HostHealth, HostLease } from '../specs/assignment.ts';

export interface HostAddress {
  readonly host: string;
  readonly port: number;
  readonly controlToken: string;
}

export interface HostClient {
  /** What the host says of itself. Rejects with a sentence when it does not answer in time or is not the one. */
  health(address: HostAddress, timeoutMs: number): Promise<HostHealth>;
  /** The same, with its tools. */
  tools(address: HostAddress, timeoutMs: number): Promise<HostHealth>;
  renew(address: HostAddress, lease: HostLease, timeoutMs: number): Promise<void>;
  close(): void;
}

/** A host lists at most 2,000 tools. */
const longestToolsAnswer = 4 * 1024 * 1024;

/** Speaks to hosts over connections that are kept: a new one for every probe costs ten times as much. */
export function createHostClient(): HostClient {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4, maxFreeSockets: 1 });

  function request(
    address: HostAddress,
    method: string,
    path: string,
    body: string | null,
    timeoutMs: number,
    longest = 65_536,
  ): Promise<string> {
    return new Promise((resolve, reject) => {
      const started = http.request({
        agent,
        host: address.host,
        port: address.port,
        method,
        path,
        signal: AbortSignal.timeout(timeoutMs),
        headers: {
          authorization: `Bearer ${address.controlToken}`,
          ...(body === null ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
        },
      });
      started.on('socket', socket => {
        const check = (): void => {
          // In the kernel's ephemeral range a connection can meet itself: that is no answer.
          if (socket.localPort === address.port) socket.destroy(new Error('the connection met itself'));
        };
        if (socket.connecting) socket.once('connect', check);
      });
      started.on('error', (error: NodeJS.ErrnoException) => {
        if (error.name === 'AbortError' || error.name === 'TimeoutError')
          reject(new Error(`no answer within ${timeoutMs} ms`));
        else if (error.code === 'ECONNREFUSED') reject(new Error(`nothing listens on port ${address.port}`));
        else reject(error);
      });
      started.on('response', response => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          // Whoever answers with more is not our host.
          if (size > longest) response.destroy(new Error('the answer is too long'));
          else chunks.push(chunk);
        });
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          if (response.statusCode === 200 || response.statusCode === 204) resolve(text);
          else reject(new Error(`${method} ${path} was answered with ${response.statusCode}`));
        });
      });
      started.end(body ?? undefined);
    });
  }

  function parseHealth(text: string): HostHealth {
    const parsed = hostHealth.safeParse(parseJson(text));
    if (!parsed.success) throw new Error('somebody else answers on the port');
    return parsed.data;
  }

  return {
    async health(address, timeoutMs) {
      return parseHealth(await request(address, 'GET', '/healthz', null, timeoutMs));
    },
    async tools(address, timeoutMs) {
      return parseHealth(await request(address, 'GET', '/healthz?tools=1', null, timeoutMs, longestToolsAnswer));
    },
    async renew(address, lease, timeoutMs) {
      await request(address, 'PUT', '/control/lease', JSON.stringify(lease), timeoutMs);
    },
    close: () => agent.destroy(),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
