import { bearer, variableOf } from './client.ts';
import type { Guide, Target } from './client.ts';
import { toCommand, toJson } from './quoting.ts';

export function guideClaudeCode({ name, url, token }: Target): Guide {
  const snippet = (authorization: string) =>
    toJson({ mcpServers: { [name]: { type: 'http', url, headers: { Authorization: authorization } } } });
  const variable = variableOf(name, 'TOKEN');
  return {
    title: 'Claude Code',
    format: 'json',
    file: { linux: '.mcp.json', macos: '.mcp.json', windows: '.mcp.json' },
    snippet: snippet(bearer(token)),
    // --header takes all words that follow it, so it comes last.
    command: toCommand(
      ['claude', 'mcp', 'add', '--transport', 'http', name, url].concat('--header', `Authorization: ${bearer(token)}`),
    ),
    env: { variable, value: token, snippet: snippet(bearer(`\${${variable}}`)), command: null },
    notes: [
      `After a restore or a rotation: claude mcp remove ${name}, then the command again with the new token.`,
      '.mcp.json lies in the project and is meant to be shared: do not commit the token.',
      'The command keeps the server in your own settings for this project; add --scope user for all projects.',
    ],
  };
}
