import { spawn } from 'node:child_process';

/**
 * Whom the server's programs run as: `self`, this process's own user; `namespace`, this process's
 * user, seen by the program as 65534 (a user namespace: no root, no capabilities, same files); `user`,
 * another user of this machine (only root can do that).
 */
export type Account =
  | { readonly kind: 'self' }
  | { readonly kind: 'namespace' }
  | { readonly kind: 'user'; readonly uid: number; readonly gid: number };

export interface Command {
  readonly account: Account;
  readonly program: string;
  readonly args: readonly string[];
  /** Default `/`: the caller's own directory may be closed to the account. */
  readonly cwd?: string;
  readonly input?: string;
  /** An open file the program and all its descendants inherit as descriptor 3; a lock lives as long as they do. */
  readonly inheritedFd?: number;
}

export interface CommandResult {
  /** null: could not be run, or died of a signal. */
  readonly exitCode: number | null;
  readonly output: string;
}

const asNobody = ['-U', '--map-user=65534', '--map-group=65534', '--'];

/** initdb and pg_ctl put paths into shell commands, between double quotes and otherwise as they are. */
export function isShellSafe(path: string): boolean {
  return !/["$`\\\n]/.test(path);
}

/** PostgreSQL gets nothing of our environment but the search path: secrets live in the rest. */
function scrubbedEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}

/** Runs a program to its end, in a session of its own so that Ctrl-C does not reach it. Never rejects. */
export function runCommand(command: Command): Promise<CommandResult> {
  const { account, program, args } = command;
  const wrapped = account.kind === 'namespace';
  return new Promise(resolve => {
    const child = spawn(wrapped ? 'unshare' : program, wrapped ? [...asNobody, program, ...args] : args, {
      cwd: command.cwd ?? '/',
      env: scrubbedEnvironment(),
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe', command.inheritedFd ?? 'ignore'],
      ...(account.kind === 'user' ? { uid: account.uid, gid: account.gid } : {}),
    });
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (output += text));
    // A program that ends without reading its input breaks the pipe; its exit says what there is to say.
    child.stdin?.on('error', () => {});
    child.stdin?.end(command.input);
    child.on('error', error => resolve({ exitCode: null, output: error.message }));
    child.on('close', exitCode => resolve({ exitCode, output: output.trim() }));
  });
}
