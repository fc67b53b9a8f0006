import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MiniMcpError, errorMessage } from '../errors.ts';

/**
 * Content of a file of our own that only we can read; null when there is none.
 * Throws `PrivateFileExposed` when the group or others may read or write it, or what `openOwnFile` throws.
 */
export async function readPrivateFile(path: string): Promise<Buffer | null> {
  const file = await openOwnFile(path);
  if (file === null) return null;
  try {
    const { mode } = await file.stat();
    if ((mode & 0o077) !== 0) {
      throw new MiniMcpError('PrivateFileExposed', `${path} can be read or written by others than its owner`, {
        hint: `chmod 600 ${path}, and replace the secret in it if others may have read it`,
      });
    }
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/**
 * Opens a regular file of our own for reading; null when there is none. Links are not followed.
 * Throws `PrivateFileForeign` when it belongs to someone else, who then knows what it holds, and
 * `PrivateFileUnreadable` when it cannot be read at all.
 */
export async function openOwnFile(path: string): Promise<FileHandle | null> {
  let file: FileHandle;
  try {
    // NONBLOCK: opening a pipe would wait for its writer.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    throw unreadable(path, code === 'ELOOP' ? new Error('it is a link; put the file itself there') : error);
  }
  try {
    // What was opened, not what the path may mean by now.
    const stat = await file.stat();
    if (!stat.isFile()) throw unreadable(path, new Error('it is not a regular file'));
    const self = process.geteuid?.() ?? stat.uid;
    if (stat.uid !== self) {
      throw new MiniMcpError('PrivateFileForeign', `${path} belongs to user ${stat.uid}, and MiniMCP runs as ${self}`, {
        hint: `Run MiniMCP as user ${stat.uid}; or, if its content is trusted: chown ${self} ${path}`,
      });
    }
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * Creates a file of mode 0600 with this content, complete or not at all; false when there is one already.
 * Of several processes exactly one gets true. Missing directories are made with mode 0700.
 */
export async function createPrivateFile(path: string, content: string | Buffer): Promise<boolean> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomUUID()}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    // A link, not a rename: it fails when the name is taken, so nobody's file is ever replaced.
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(draft);
  }
  const directory = await open(dirname(path), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
  return true;
}

function unreadable(path: string, cause: unknown): MiniMcpError {
  return new MiniMcpError('PrivateFileUnreadable', `${path} cannot be read: ${errorMessage(cause)}`, { cause });
}
