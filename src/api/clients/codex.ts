import { bearer, homeFile, variableOf } from './client.ts';
import type { Guide, Target } from './client.ts';
import { toCommand, tomlString } from './quoting.ts';

export function guideCodex({ name, url, token }: Target): Guide {
  const snippet = (line: string) => `[mcp_servers.${name}]\nurl = ${tomlString(url)}\n${line}\n`;
  const variable = variableOf(name, 'TOKEN');
  return {
    title: 'Codex',
    format: 'toml',
    file: homeFile('.codex/config.toml'),
    snippet: snippet(`http_headers = { Authorization = ${tomlString(bearer(token))} }`),
    // `codex mcp add` takes no header, only the name of a variable.
    command: null,
    env: {
      variable,
      value: token,
      snippet: snippet(`bearer_token_env_var = ${tomlString(variable)}`),
      command: toCommand(['codex', 'mcp', 'add', name, '--url', url, '--bearer-token-env-var', variable]),
    },
    notes: ['Literal headers are called http_headers; Codex ignores "headers" without a word.'],
  };
}
