import type { Guide, Target } from './client.ts';
import { bridgeNotes, bridgeThroughMcpRemote } from './mcp-remote.ts';
import { toJson } from './quoting.ts';

export function guideClaudeDesktop(target: Target): Guide {
  return {
    title: 'Claude Desktop',
    format: 'json',
    file: {
      linux: '~/.config/Claude/claude_desktop_config.json',
      macos: '~/Library/Application Support/Claude/claude_desktop_config.json',
      windows: String.raw`%APPDATA%\Claude\claude_desktop_config.json`,
    },
    snippet: toJson({ mcpServers: { [target.name]: bridgeThroughMcpRemote(target) } }),
    command: null,
    env: null,
    notes: [
      'The file takes no remote server, so mcp-remote goes between; it needs Node.js. Quit and start Claude Desktop to read it.',
      "Connectors of the settings page come from the vendor's cloud and cannot reach this machine.",
      ...bridgeNotes,
    ],
  };
}
