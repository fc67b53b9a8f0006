import { bearer, variableOf } from './client.ts';
import type { Guide, Target } from './client.ts';
import { toCommand, toJson } from './quoting.ts';

/** The version that our tests run. */
const mcpRemote = 'mcp-remote@0.15.1';

export function guideMcpRemote(target: Target): Guide {
  const { command, args, env } = bridgeThroughMcpRemote(target);
  return {
    title: 'Any client that starts commands, through mcp-remote',
    format: 'json',
    file: null,
    snippet: toJson({ mcpServers: { [target.name]: { command, args, env } } }),
    command: toCommand([command, ...args], env),
    env: null,
    notes: [
      'Most clients take this form; where the file lies, their manual says. It needs Node.js.',
      'Add "--protocol", "auto" to the arguments to speak revision 2026-07-28 to the instance.',
      ...bridgeNotes,
    ],
  };
}

export const bridgeNotes = [
  'To keep the token out of the file, write "Authorization: Bearer …" into a file of your own and pass --header-file with its path instead of --header.',
];

/** A stdio server that passes everything on to the instance. The token is in no argument. */
export function bridgeThroughMcpRemote({ name, url, token }: Target) {
  const variable = variableOf(name, 'AUTHORIZATION');
  return {
    command: 'npx',
    args: ['-y', mcpRemote, url].concat(
      // No space: some clients on Windows break arguments there. mcp-remote itself fills the variable in.
      ['--header', `Authorization:\${${variable}}`],
      ['--transport', 'http-only'],
      isTrusted(new URL(url)) ? [] : ['--allow-http'],
    ),
    env: { [variable]: bearer(token) },
  };
}

/** Whether mcp-remote connects without being told that plain HTTP is meant; [::1] is no loopback to it. */
function isTrusted({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || ['localhost', '127.0.0.1'].includes(hostname);
}
