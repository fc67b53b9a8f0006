import { bearer } from './client.ts';
import type { Guide, Target } from './client.ts';
import { toCommand, toJson } from './quoting.ts';

export function guideVsCode({ name, url, token }: Target): Guide {
  const server = (authorization: string) => ({ type: 'http', url, headers: { Authorization: authorization } });
  const id = `minimcp-${name}-token`;
  const input = { type: 'promptString', id, description: `MiniMCP token of ${name}`, password: true };
  return {
    title: 'VS Code',
    format: 'json',
    file: {
      linux: '~/.config/Code/User/mcp.json',
      macos: '~/Library/Application Support/Code/User/mcp.json',
      windows: String.raw`%APPDATA%\Code\User\mcp.json`,
    },
    snippet: toJson({ servers: { [name]: server(bearer(token)) } }),
    command: toCommand(['code', '--add-mcp', JSON.stringify({ name, ...server(bearer(token)) })]),
    env: {
      // VS Code asks for it once and keeps it in its own store of secrets.
      variable: null,
      value: token,
      snippet: toJson({ inputs: [input], servers: { [name]: server(bearer(`\${input:${id}}`)) } }),
      command: null,
    },
    notes: [
      'The command "MCP: Open User Configuration" opens the file, also where a profile has one of its own.',
      'For one project alone, write it to .vscode/mcp.json there, in the form that asks for the token.',
    ],
  };
}
