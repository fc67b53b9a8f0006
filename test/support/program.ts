import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { baseEnvironment } from '../../controllers/environment.ts';

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line of a program of an installed package, without npx between: its `bin`, by its package.json's URL. */
export function installedProgram(manifestUrl: string, bin: string): string[] {
  const manifest = fileURLToPath(manifestUrl);
  const { bin: bins } = JSON.parse(readFileSync(manifest, 'utf8')) as { bin: Record<string, string> };
  return [process.execPath, join(dirname(manifest), bins[bin]!)];
}

/** An environment with a home of its own and a mark by which `findRunning` finds whoever got it. */
export function markedEnvironment(home: string): { mark: string; env: Record<string, string> } {
  const mark = randomUUID();
  return { mark, env: { ...baseEnvironment(), HOME: home, MINIMCP_TEST_MARK: mark } };
}

/** The processes that carry a mark, descendants included. */
export function findRunning(mark: string): number[] {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.filter(pid => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`MINIMCP_TEST_MARK=${mark}`);
    } catch {
      return false;
    }
  });
}

/**
 * Runs somebody else's program to its end. There is nobody to ask: stdin is empty, or has `input` and stays open.
 * One that does not end is killed, and has no status.
 */
export async function runProgram(
  argv: readonly string[],
  env: Record<string, string>,
  input: string | null = null,
): Promise<Ended> {
  const child = spawn(argv[0]!, argv.slice(1), {
    env,
    stdio: [input === null ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    signal: AbortSignal.timeout(30_000),
    killSignal: 'SIGKILL',
  });
  child.once('error', () => {});
  child.stdin?.once('error', () => {});
  child.stdin?.write(input);
  const ended = once(child, 'close') as Promise<[number | null]>;
  const [stdout, stderr, [status]] = await Promise.all([text(child.stdout!), text(child.stderr!), ended]);
  return { status, stdout, stderr };
}
