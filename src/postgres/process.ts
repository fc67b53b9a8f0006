import { readFile, readlink, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { errorCode } from './errno.ts';

/** What the kernel says about a live process. A zombie is not alive. */
export interface LiveProcess {
  readonly pid: number;
  /** Start time in clock ticks since boot: with the pid, it tells a process from a later one of the same number. */
  readonly startTicks: string;
  /** File name of its program; undefined where the kernel does not let us see it. */
  readonly program: string | undefined;
  /** `device:inode` of its working directory; undefined likewise. */
  readonly workingDirectory: string | undefined;
}

/** Undefined for a process that is gone or a zombie. */
export async function findProcess(pid: number): Promise<LiveProcess | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  // The name is in parentheses and may contain both spaces and parentheses itself.
  const name = text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'));
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (/[ZXx]/.test(fields[0] ?? '')) return undefined;
  return {
    pid,
    startTicks: fields[19] ?? '',
    program: (await programOf(pid)) ?? (name === 'postgres' ? undefined : name),
    workingDirectory: await directoryId(`/proc/${pid}/cwd`),
  };
}

/** The directory's `device:inode`, the same for every path that leads to it. */
export async function directoryId(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found && `${found.dev}:${found.ino}`;
}

export async function isAlive(server: { pid: number; startTicks: string }): Promise<boolean> {
  return (await findProcess(server.pid))?.startTicks === server.startTicks;
}

async function programOf(pid: number): Promise<string | undefined> {
  try {
    const path = await readlink(`/proc/${pid}/exe`);
    // An upgrade of the package replaces the file under a running server.
    return basename(path.replace(/ \(deleted\)$/, ''));
  } catch (error) {
    // ENOENT: a kernel thread has no program, and neither has a process in its last moments.
    return errorCode(error) === 'ENOENT' ? '' : undefined;
  }
}
