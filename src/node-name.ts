import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const file = (dataDir: string): string => join(dataDir, 'node-name');

/** The name under which this data directory's instances run; null before the first start. */
export function readNodeName(dataDir: string): string | null {
  try {
    return readFileSync(file(dataDir), 'utf8').trim() || null;
  } catch {
    // Not started yet, or not to be read: the caller's own directory is checked elsewhere.
    return null;
  }
}

/**
 * Keeps the name: a host name changes (a new container, another network), and instances placed on a node of
 * the old name would wait for it forever.
 */
export function rememberNodeName(dataDir: string, name: string): void {
  try {
    writeFileSync(file(dataDir), `${name}\n`, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
