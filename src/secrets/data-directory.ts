import { lstat, mkdir } from 'node:fs/promises';
import { MiniMcpError } from '../errors.ts';

/**
 * Makes sure that nobody else decides what lies in a directory of secrets: makes it with mode 0700, or refuses
 * one that someone else made or may write to. Root owns what it likes anyway; `orRoot` takes its directories too.
 * Throws `DataDirectoryUnsafe`.
 */
export async function secureDataDirectory(dataDir: string, { orRoot = false } = {}): Promise<void> {
  const refusal = await mkdir(dataDir, { recursive: true, mode: 0o700 }).then(
    () => null,
    (error: unknown) => ({ error }),
  );
  // Not where a link leads to: whoever owns the link chooses that. A file or a dead link in its place is told below.
  const found = await lstat(dataDir).catch((error: unknown) => {
    throw refusal?.error ?? error;
  });
  const self = process.geteuid?.() ?? found.uid;
  const choose = 'or choose another directory with MINIMCP_DATA_DIR';
  if (!found.isDirectory()) {
    const kind = found.isSymbolicLink() ? 'a link' : 'no directory';
    throw unsafe(`${dataDir} is ${kind}, and it belongs to user ${found.uid}`, `Name a directory itself, ${choose}`);
  }
  if (found.uid !== self && !(orRoot && found.uid === 0)) {
    throw unsafe(
      `${dataDir} belongs to user ${found.uid}, and MiniMCP runs as user ${self}`,
      `Run MiniMCP as user ${found.uid}, ${choose}. If all in it is trusted: chown -R ${self} ${dataDir}`,
    );
  }
  if ((found.mode & 0o022) !== 0) {
    throw unsafe(
      `${dataDir} belongs to user ${found.uid}, but its group or others may write to it`,
      `If all in it is trusted: chmod go-w ${dataDir}; ${choose}`,
    );
  }
}

function unsafe(message: string, hint: string): MiniMcpError {
  return new MiniMcpError('DataDirectoryUnsafe', message, { hint });
}
