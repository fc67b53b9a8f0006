import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Assignment } from '../../specs/assignment.ts';
import { writeWhole } from '../host/log.ts';
import type { Conceal } from '../host/log.ts';
import { Misconfigured } from '../host/program.ts';
import { killMembers, listMembers } from './process-tree.ts';

/** How much of the child's stderr is kept for the message of its end. */
const tailBytes = 2048;
/** How long a child may take to end by itself once its stdin is closed, as a share of the whole grace. */
const eofShare = 0.2;
/** How long to wait after the exit for the last output; a grandchild may hold the pipes for ever. */
const lastOutputMs = 100;

export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Child {
  readonly process: ChildProcess;
  /** Settles when it has exited and its last output is read. Rejects with Misconfigured if it never started. */
  readonly ended: Promise<ChildEnd>;
  /** The end of its stderr, as text without secrets. */
  stderrTail(): string;
  stop(graceMs: number): Promise<void>;
  kill(): void;
}

type Command = NonNullable<Assignment['command']>;

/**
 * Starts the program in a process group of its own, without a shell. The environment is exactly the command's,
 * the secrets, and the marker by which every descendant can be found. Throws Misconfigured.
 */
export function startChild(
  command: Command,
  secrets: Record<string, string>,
  attempt: string,
  conceal: Conceal,
): Child {
  const [program, ...args] = command.argv as [string, ...string[]];
  let child: ChildProcess;
  try {
    child = spawn(program, args, {
      cwd: command.cwd,
      env: { ...command.env, ...secrets, ...readMarkers(), MINIMCP_ATTEMPT: attempt },
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  } catch (error) {
    throw new Misconfigured(explainSpawn(program, command.cwd, error as NodeJS.ErrnoException));
  }
  const marker = `MINIMCP_ATTEMPT=${attempt}`;
  const exited = new Promise<ChildEnd>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(new Misconfigured(explainSpawn(program, command.cwd, error)));
    });
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  exited.catch(() => {});
  const closed = new Promise<void>(resolve => {
    child.once('close', () => resolve());
  });
  // A child that stops reading is no error of ours; its exit or the request's end says more.
  child.stdin?.on('error', () => {});
  child.stdout?.on('error', () => {});
  const tail = copyStderr(child, conceal);

  const kill = () => killMembers(listMembers(marker), 'SIGKILL');
  return {
    process: child,
    ended: exited.then(async end => {
      await Promise.race([closed, wait(lastOutputMs)]);
      return end;
    }),
    stderrTail: () => tail(),
    kill,
    async stop(graceMs) {
      const gone = exited.then(
        () => true,
        () => true,
      );
      const within = (ms: number) => Promise.race([gone, wait(ms).then(() => false)]);
      child.stdin?.end();
      if (!(await within(graceMs * eofShare))) {
        signalGroup(child, 'SIGTERM');
        await within(graceMs * (1 - eofShare));
      }
      // What is left ignored SIGTERM or left the group: by marker and descent everything is found.
      for (let left = listMembers(marker); left.length > 0; left = listMembers(marker)) {
        killMembers(left, 'SIGKILL');
        await wait(5);
      }
    },
  };
}

/** By these the controllers find every process of an installation, so descendants must carry them too. */
function readMarkers(): Record<string, string> {
  const owner = process.env['MINIMCP_OWNER'];
  return owner === undefined ? {} : { MINIMCP_OWNER: owner };
}

/**
 * The child's stderr goes on to the host's, and its last bytes are remembered: so many more than are shown that
 * a secret which is cut off at their beginning is never among those.
 */
function copyStderr(child: ChildProcess, conceal: Conceal): () => string {
  const keptBytes = tailBytes + conceal.longestBytes;
  let tail = Buffer.alloc(0);
  let cut = false;
  child.stderr?.on('error', () => {});
  child.stderr?.on('data', (chunk: Buffer) => {
    writeWhole(2, chunk);
    cut ||= tail.length + chunk.length > keptBytes;
    tail = Buffer.concat([tail, chunk.subarray(-keptBytes)]).subarray(-keptBytes);
  });
  return () => {
    const uncertain = cut ? tail.toString('utf8', 0, conceal.longestBytes).length : 0;
    return conceal(tail.toString('utf8'), uncertain).slice(-tailBytes).trim();
  };
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  // Only while it is not reaped: after that its pid, and so its group's id, may belong to another.
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is gone already.
  }
}

function explainSpawn(program: string, cwd: string, error: NodeJS.ErrnoException): string {
  if (!existsSync(cwd)) return `The working directory ${cwd} does not exist. Create it or change spec.config.cwd.`;
  const quoted = `"${program}"`;
  if (error.code === 'ENOENT') {
    return `The program ${quoted} was not found. Install it on this node, or correct spec.config.command.`;
  }
  if (error.code === 'EACCES') {
    return `The program ${quoted} may not be executed. Make it executable, or correct spec.config.command.`;
  }
  return `The program ${quoted} could not be started: ${error.message}. Check spec.config.command.`;
}

function wait(ms: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, ms).unref();
  });
}
