import type { Command } from './client.ts';

/** The text of a JSON file. */
export const toJson = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;

/** A basic string of TOML, which takes JSON's escapes and wants DEL escaped, too. */
export const tomlString = (text: string): string => JSON.stringify(text).replaceAll('\u007f', String.raw`\u007F`);

/** A command with its line for a POSIX shell. */
export function toCommand(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Command {
  const assignments = Object.entries(env).map(([name, value]) => `${name}=${shellWord(value)}`);
  return { argv: [...argv], env: { ...env }, line: [...assignments, ...argv.map(shellWord)].join(' ') };
}

/** One word to a POSIX shell, whatever is in it. */
function shellWord(text: string): string {
  return /^[\w./:@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
