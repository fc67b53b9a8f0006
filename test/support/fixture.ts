import { resolve } from 'node:path';

const directory = resolve(import.meta.dirname, '../fixtures');

/** The command line of a hostile or healthy stdio program of test/fixtures. */
export function fixture(name: string, ...args: string[]): string[] {
  return [process.execPath, resolve(directory, `${name}.mjs`), ...args];
}
