import { bearer, homeFile, variableOf } from './client.ts';
import type { Guide, Target } from './client.ts';
import { toJson } from './quoting.ts';

export function guideWindsurf({ name, url, token }: Target): Guide {
  const snippet = (authorization: string) =>
    toJson({ mcpServers: { [name]: { serverUrl: url, headers: { Authorization: authorization } } } });
  const variable = variableOf(name, 'TOKEN');
  return {
    title: 'Windsurf',
    format: 'json',
    file: homeFile('.codeium/windsurf/mcp_config.json'),
    snippet: snippet(bearer(token)),
    command: null,
    env: { variable, value: token, snippet: snippet(bearer(`\${env:${variable}}`)), command: null },
    notes: ['Refresh the list of MCP servers in Cascade after a change.'],
  };
}
