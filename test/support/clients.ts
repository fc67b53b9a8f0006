import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { TestHost } from './host.ts';

const info = { name: 'minimcp-test', version: '1.0.0' };

type Target = Pick<TestHost, 'url' | 'token'>;

const authorize = (token: string) => ({ requestInit: { headers: { authorization: `Bearer ${token}` } } });

/** The client of today's tools: SDK v1, `initialize`. */
export async function connectLegacy({ url, token }: Target): Promise<LegacyClient> {
  const client = new LegacyClient(info);
  await client.connect(new LegacyTransport(new URL(url), authorize(token)));
  return client;
}

/** The client of 2026-07-28: SDK v2, `server/discover`, no session. */
export async function connectModern({ url, token }: Target, capabilities = {}): Promise<ModernClient> {
  const client = new ModernClient(info, { capabilities, versionNegotiation: { mode: { pin: '2026-07-28' } } });
  await client.connect(new ModernTransport(new URL(url), authorize(token)));
  return client;
}

export interface ToolAnswer {
  readonly isError: boolean;
  /** The text blocks, one after the other. */
  readonly text: string;
}

interface ToolCaller {
  callTool(params: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
}

export async function callTool(
  client: ToolCaller,
  name: string,
  args: Record<string, unknown> = {},
): Promise<ToolAnswer> {
  const result = (await client.callTool({ name, arguments: args })) as {
    isError?: boolean;
    content: { type: string; text?: string }[];
  };
  return { isError: result.isError === true, text: result.content.map(block => block.text ?? '').join('\n') };
}

/** One JSON-RPC message by hand, as legacy clients post it. */
export function post({ url, token }: Target, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

/** The JSON-RPC answer in a response, whether it came as JSON or as an event. */
export async function readAnswer(response: Response): Promise<{
  id: unknown;
  result?: Record<string, unknown>;
  error?: { code: number; message: string };
}> {
  const text = await response.text();
  const data = /^data: (.*)$/m.exec(text)?.[1] ?? text;
  return JSON.parse(data) as never;
}

/** A stream that the client holds open, as Claude Code does. Resolves when the server ends it. */
export async function subscribe(host: Target): Promise<{ ended: Promise<void> }> {
  const response = await fetch(host.url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${host.token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'subscriptions/listen',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 'listen',
      method: 'subscriptions/listen',
      params: {
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientCapabilities': {},
        },
        notifications: { toolsListChanged: true },
      },
    }),
  });
  const reader = response.body!.getReader();
  const first = new TextDecoder().decode((await reader.read()).value);
  if (!first.includes('acknowledged')) throw new Error(`not subscribed: ${response.status} ${first}`);
  const drain = async () => {
    for (let part = await reader.read(); !part.done; part = await reader.read());
  };
  return { ended: drain().catch(() => {}) };
}
