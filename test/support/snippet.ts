import { parse as parseToml } from 'smol-toml';
import type { z } from 'zod';
import type { connection } from '../../src/api/schemas.ts';

export type Connection = z.infer<typeof connection>;

/** What a request needs. */
export interface Server {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Where each client looks for servers, and what it calls URL and headers. */
const places = {
  'claude-code': ['mcpServers', 'url', 'headers'],
  cursor: ['mcpServers', 'url', 'headers'],
  vscode: ['servers', 'url', 'headers'],
  windsurf: ['mcpServers', 'serverUrl', 'headers'],
  codex: ['mcp_servers', 'url', 'http_headers'],
  gemini: ['mcpServers', 'httpUrl', 'headers'],
} as const;

/** The clients whose files name the server itself, and no command between. */
export const httpClients = Object.keys(places) as (keyof typeof places)[];

type ServersFile = Record<string, Record<string, Record<string, never>>>;

/** Reads a snippet as its client does. */
export function readServer({ client, format, snippet }: Connection, name: string): Server {
  const file = (format === 'toml' ? parseToml(snippet) : JSON.parse(snippet)) as ServersFile;
  const [servers, url, headers] = places[client as keyof typeof places];
  const entry = file[servers]![name]!;
  return { url: entry[url]!, headers: entry[headers]! };
}

/** What a snippet starts, for clients that start commands. */
export function readCommand(
  { snippet }: Connection,
  name: string,
): {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
} {
  return (JSON.parse(snippet) as ServersFile)['mcpServers']![name] as never;
}
