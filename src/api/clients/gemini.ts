import { bearer, homeFile, variableOf } from './client.ts';
import type { Guide, Target } from './client.ts';
import { toCommand, toJson } from './quoting.ts';

export function guideGemini({ name, url, token }: Target): Guide {
  const snippet = (authorization: string) =>
    toJson({ mcpServers: { [name]: { httpUrl: url, headers: { Authorization: authorization } } } });
  const variable = variableOf(name, 'TOKEN');
  return {
    title: 'Gemini CLI',
    format: 'json',
    file: homeFile('.gemini/settings.json'),
    snippet: snippet(bearer(token)),
    command: toCommand(
      ['gemini', 'mcp', 'add', '--scope', 'user', '--transport', 'http'].concat(
        ['--header', `Authorization: ${bearer(token)}`],
        [name, url],
      ),
    ),
    env: { variable, value: token, snippet: snippet(bearer(`$${variable}`)), command: null },
    notes: [
      'Gemini CLI starts MCP servers only in a folder that it trusts.',
      'For one project alone, write it to .gemini/settings.json there, and do not commit the token.',
    ],
  };
}
