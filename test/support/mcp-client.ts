import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

/** What tests need of a client, whichever SDK it is. */
export interface McpClient {
  tools(): Promise<string[]>;
  /** The text of the result. */
  call(name: string, args?: Record<string, unknown>): Promise<{ text: string; isError: boolean }>;
  close(): Promise<void>;
}

interface AnyClient {
  listTools(): Promise<{ tools: { name: string }[] }>;
  callTool(request: { name: string; arguments: Record<string, unknown> }): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

/** Connects a real client: the SDK of version 1 (2025-11-25 and older) or of version 2 (2026-07-28). */
export async function connectClient(sdk: 1 | 2, access: { url: string; token: string }): Promise<McpClient> {
  const url = new URL(access.url);
  const options = { requestInit: { headers: { Authorization: `Bearer ${access.token}` } } };
  const info = { name: 'test', version: '1' };
  let client: AnyClient;
  if (sdk === 1) {
    const v1 = new ClientV1(info);
    // Its own types do not hold under exactOptionalPropertyTypes.
    await v1.connect(new TransportV1(url, options) as Parameters<typeof v1.connect>[0]);
    client = v1;
  } else {
    const v2 = new ClientV2(info);
    await v2.connect(new TransportV2(url, options));
    client = v2;
  }
  return {
    tools: async () => (await client.listTools()).tools.map(tool => tool.name),
    async call(name, args = {}) {
      const result = await client.callTool({ name, arguments: args });
      const content = result['content'] as { type: string; text?: string }[];
      return { text: content.map(part => part.text ?? '').join('\n'), isError: result['isError'] === true };
    },
    close: () => client.close(),
  };
}
