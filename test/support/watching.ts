import type { AddressInfo } from 'node:net';
import type { Instance } from '../../specs/instance.ts';
import { createTestApi } from './api.ts';
import type { TestApi } from './api.ts';
import { openSse } from './sse.ts';
import type { SseClient, SseMessage } from './sse.ts';

export interface Watching {
  readonly api: TestApi;
  /** Of `GET /mcps?watch=1`. */
  readonly base: string;
  watch(query?: string, headers?: Record<string, string>): Promise<SseClient>;
  /** A new instance, `w-1` and so on. */
  declare(labels?: object, spec?: object): Promise<Instance>;
  patch(name: string, spec: object): Promise<Instance>;
  relabel(name: string, labels: object): Promise<unknown>;
  /** Removes an instance as the process controller does in the end. */
  erase(name: string): Promise<void>;
  /** How many `declare` made. */
  readonly declared: number;
  /** Closes the streams that `watch` opened. */
  hangUp(): void;
  close(): Promise<void>;
}

const stdio = { type: 'stdio', config: { command: ['cat'] } };

/** An API that listens, and hands for what its watchers should see. */
export async function createWatching(): Promise<Watching> {
  const api = await createTestApi({}, { bookmarkMs: 300, nodesMs: 50, drainMs: 1_500 });
  await api.app.listen({ port: 0, host: '127.0.0.1' });
  const base = `http://127.0.0.1:${(api.app.server.address() as AddressInfo).port}/api/v1/mcps?watch=1`;
  const open: SseClient[] = [];
  let declared = 0;
  return {
    api,
    base,
    get declared() {
      return declared;
    },
    async watch(query = '', headers = {}) {
      const client = await openSse(base + query, api.adminToken, headers);
      open.push(client);
      return client;
    },
    async declare(labels = {}, spec = stdio) {
      const body = { metadata: { labels }, spec };
      return (await api.ask('PUT', `/api/v1/mcps/w-${++declared}`, body)).json<Instance>();
    },
    patch: async (name, spec) => (await api.ask('PATCH', `/api/v1/mcps/${name}`, { spec })).json<Instance>(),
    relabel: (name, labels) => api.ask('PATCH', `/api/v1/mcps/${name}`, { metadata: { labels } }),
    async erase(name) {
      await api.database.pool.query('update instances set deletion_requested_at = now() where name = $1', [name]);
      await api.database.pool.query('delete from instances where name = $1', [name]);
    },
    hangUp() {
      for (const client of open.splice(0)) client.close();
    },
    close: () => api.close(),
  };
}

export function isBookmark(message: SseMessage): boolean {
  return message.event === 'bookmark';
}

/** Whether a message is about the instance, and (if said) of that kind. */
export function about(name: string, event?: string): (message: SseMessage) => boolean {
  return message => message.data.metadata.name === name && (event === undefined || message.event === event);
}
