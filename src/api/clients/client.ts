import type { z } from 'zod';
import type { clientCommand, connection } from '../schemas.ts';

/** What a client is to be connected to. */
export interface Target {
  /** The instance's name, a DNS label: safe as a key everywhere, and never taken for an option. */
  readonly name: string;
  readonly url: string;
  readonly token: string;
}

export type Guide = Omit<z.infer<typeof connection>, 'client' | 'expiresAt'>;
export type Command = z.infer<typeof clientCommand>;

export const bearer = (token: string): string => `Bearer ${token}`;

/** An environment variable for an instance; no two instances share one. */
export function variableOf(name: string, content: 'TOKEN' | 'AUTHORIZATION'): string {
  return `MINIMCP_${name.replaceAll('-', '_').toUpperCase()}_${content}`;
}

/** A file below the home directory that is called the same everywhere. `path` with slashes. */
export function homeFile(path: string): NonNullable<Guide['file']> {
  return { linux: `~/${path}`, macos: `~/${path}`, windows: `%USERPROFILE%\\${path.replaceAll('/', '\\')}` };
}
