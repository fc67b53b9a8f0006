import { bearer, homeFile, variableOf } from './client.ts';
import type { Guide, Target } from './client.ts';
import { toJson } from './quoting.ts';

export function guideCursor({ name, url, token }: Target): Guide {
  const snippet = (authorization: string) =>
    toJson({ mcpServers: { [name]: { url, headers: { Authorization: authorization } } } });
  const variable = variableOf(name, 'TOKEN');
  return {
    title: 'Cursor',
    format: 'json',
    file: homeFile('.cursor/mcp.json'),
    snippet: snippet(bearer(token)),
    command: null,
    env: { variable, value: token, snippet: snippet(bearer(`\${env:${variable}}`)), command: null },
    notes: ['For one project alone, write it to .cursor/mcp.json there, and do not commit the token.'],
  };
}
