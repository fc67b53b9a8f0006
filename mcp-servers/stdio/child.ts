import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import type { Assignment } from '../../specs/assignment.ts';
import { writeWhole } from '../host/log.ts';
import type { Conceal } from '../host/log.ts';
import { chooseWords } from './last-words.ts';
import { Misconfigured, Unavailable } from '../host/program.ts';
import { endFamily, killMembers, listMembers } from './process-tree.ts';
import type { Family } from './process-tree.ts';

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
  /** What to call it: `node server.js` says more than `node`. */
  readonly name: string;
  readonly process: ChildProcess;
  /** Settles when it has exited and its last output is read. Rejects with Misconfigured if it never started. */
  readonly ended: Promise<ChildEnd>;
  /** How it ended and what it said last, as a sentence without secrets. */
  describe(end: ChildEnd): string;
  /** Ends it with all its descendants: kindly at first. */
  stop(graceMs: number): Promise<void>;
}

type Command = NonNullable<Assignment['command']>;

export interface ChildOptions {
  readonly command: Command;
  readonly secrets: Record<string, string>;
  readonly attempt: string;
  readonly conceal: Conceal;
  /** Tells it from its siblings: it is stopped alone then. Null = with everything this process has started. */
  readonly scope: string | null;
}

/**
 * Starts the program in a process group of its own, without a shell. The environment is exactly the command's,
 * the secrets, and the markers by which every descendant can be found. Throws Misconfigured, and Unavailable where
 * there are no descriptors left for its pipes.
 */
export function startChild({ command, secrets, attempt, conceal, scope }: ChildOptions): Child {
  const [program, ...args] = command.argv as [string, ...string[]];
  let child: ChildProcess;
  try {
    child = spawn(program, args, {
      cwd: command.cwd,
      env: {
        ...command.env,
        ...secrets,
        ...readMarkers(),
        MINIMCP_ATTEMPT: attempt,
        ...(scope !== null && { MINIMCP_CHILD: scope }),
      },
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  } catch (error) {
    throw new Misconfigured(explainSpawn(program, command.cwd, error as NodeJS.ErrnoException));
  }
  const exited = new Promise<ChildEnd>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(new Misconfigured(explainSpawn(program, command.cwd, error)));
    });
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  exited.catch(() => {});
  // Out of descriptors, Node gives up before it has made the pipes, whatever its types say.
  if ((child.stdout as unknown) === undefined) {
    throw new Unavailable('No file descriptors are left to start a process of the server. Try again in a minute.');
  }
  const closed = new Promise<void>(resolve => {
    child.once('close', () => resolve());
  });
  // A child that stops reading is no error of ours; its exit or the request's end says more.
  child.stdin?.on('error', () => {});
  child.stdout?.on('error', () => {});
  const tail = copyStderr(child, conceal);

  const family = (): Family => {
    if (scope === null) return descendants(attempt);
    return { marker: `MINIMCP_CHILD=${scope}`, root: isRunning(child) ? child.pid! : null };
  };
  const name = nameCommand(command.argv);
  return {
    name,
    process: child,
    ended: exited.then(async end => {
      await Promise.race([closed, wait(lastOutputMs)]);
      return end;
    }),
    describe({ code, signal }) {
      const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
      const words = chooseWords(tail());
      return `"${name}" ${how}.${words === '' ? '' : ` Its last words: ${words}`}`;
    },
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
      await endFamily(family);
    },
  };
}

/** Whatever an attempt has started and is still there. */
const descendants = (attempt: string): Family => ({ marker: `MINIMCP_ATTEMPT=${attempt}`, root: process.pid });

/** Once, without waiting. */
export function killDescendants(attempt: string): void {
  killMembers(listMembers([descendants(attempt)]).flat(), 'SIGKILL');
}

/** Until nothing is left. */
export async function endDescendants(attempt: string): Promise<void> {
  await endFamily(() => descendants(attempt));
}

function nameCommand([program = '', script = '']: readonly string[]): string {
  const name = basename(program);
  return name === 'node' && script !== '' && !script.startsWith('-') ? `${name} ${basename(script)}` : name;
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

/** Not reaped yet: after that its pid, and so its group's id, may belong to another. */
function isRunning({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid !== undefined && exitCode === null && signalCode === null;
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (!isRunning(child)) return;
  try {
    process.kill(-child.pid!, signal);
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
