import { fileURLToPath } from 'node:url';
import type { StdioConfig } from '../../specs/types/stdio.ts';

/** A program of test/fixtures. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
}

/** A stdio instance that runs a fixture. */
export function stdioSpec(name: string, ...args: string[]): { type: string; config: Partial<StdioConfig> } {
  return { type: 'stdio', config: { command: ['node', fixture(name), ...args] } };
}

/** The smallest healthy server there is. */
export function echoSpec(): { type: string; config: Partial<StdioConfig> } {
  return stdioSpec('echo.mjs');
}
