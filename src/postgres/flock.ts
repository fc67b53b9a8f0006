import { closeSync, openSync } from 'node:fs';
import { MiniMcpError } from '../errors.ts';
import { runCommand } from './command.ts';

/**
 * A lock of the kernel on an open file. It belongs to the open file, not to a process: every program
 * that inherits `fd` holds it too, and it is free when the last of them has closed it or died, kill -9
 * included. No lock is ever left behind, and it holds across containers that share the directory.
 */
export interface FileLock {
  readonly fd: number;
  /** Gives up this process's hold. */
  readonly release: () => void;
}

/**
 * Takes the lock, waiting at most `waitMs` (0: not at all). Undefined when someone else holds it.
 * Throws `FlockMissing` without the program flock(1), `LockFailed` where the file system has no locks.
 */
export async function takeLock(path: string, waitMs = 0): Promise<FileLock | undefined> {
  const fd = openSync(path, 'a', 0o600);
  let held = false;
  try {
    // Node has no flock(2). The lock goes on the open file, so a child that shares it can take it for us.
    const limit = waitMs === 0 ? ['-n'] : ['-w', String(waitMs / 1000)];
    const args = ['-x', ...limit, '3'];
    const result = await runCommand({ account: { kind: 'self' }, program: 'flock', args, inheritedFd: fd });
    if (result.exitCode !== 0 && result.exitCode !== 1) throw flockFailed(path, result.output);
    held = result.exitCode === 0;
  } finally {
    if (!held) closeSync(fd);
  }
  let open = held;
  const release = () => {
    if (open) closeSync(fd);
    open = false;
  };
  return held ? { fd, release } : undefined;
}

function flockFailed(path: string, output: string): MiniMcpError {
  return output.endsWith('ENOENT')
    ? new MiniMcpError('FlockMissing', 'The program flock is not on the PATH; install util-linux')
    : new MiniMcpError('LockFailed', `flock could not lock ${path}: ${output}`);
}
