import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { builtinTypes } from '../specs/type.ts';
import { stdioConfig } from '../specs/types/stdio.ts';
import type { StdioConfig } from '../specs/types/stdio.ts';
import type { Assignment } from '../specs/assignment.ts';
import { baseEnvironment } from './environment.ts';
import type { PackageCache } from './packages.ts';

export type Program =
  | { readonly state: 'ready'; readonly message: string; readonly command: Assignment['command'] }
  | { readonly state: 'installing' | 'misconfigured'; readonly message: string };

export interface ProgramOptions {
  /** Directory of the instances' own working directories, which outlive their processes. */
  readonly workRoot: string;
  readonly packages: PackageCache;
}

/**
 * What an instance's host is to run: nothing more for a built-in server, an argv for `stdio`. Cheap enough
 * for every pass, so what was mended (a program installed, a package fetched) is seen by itself.
 */
export function resolveProgram(
  instance: { uid: string; type: string; config: Record<string, unknown> },
  options: ProgramOptions,
): Program {
  const type = builtinTypes.get(instance.type);
  if (type === undefined) return misconfigured(`There is no type "${instance.type}"; GET /types lists what there is`);
  const config = type.config.safeParse(instance.config);
  if (!config.success) {
    const issue = config.error.issues[0];
    return misconfigured(`spec.config does not fit the type: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`);
  }
  if (instance.type !== 'stdio') return { state: 'ready', message: '', command: null };
  return resolveStdio(instance.uid, stdioConfig.parse(instance.config), options);
}

function resolveStdio(uid: string, config: StdioConfig, options: ProgramOptions): Program {
  const home = join(options.workRoot, uid);
  const cwd = config.cwd ?? home;
  if (config.cwd === undefined) mkdirSync(home, { recursive: true, mode: 0o700 });
  else if (!isDirectory(config.cwd))
    return misconfigured(`spec.config.cwd ${config.cwd} is not a directory; make it or name another`);
  const env: Record<string, string> = { ...baseEnvironment(), HOME: home, ...config.env };

  if (config.package !== undefined && config.version !== undefined) {
    const installed = options.packages.resolve(config.package, config.version);
    if (installed.state !== 'ready') return { state: installed.state, message: installed.message };
    return {
      state: 'ready',
      message: '',
      command: { argv: [process.execPath, installed.entry, ...config.args], env, cwd },
    };
  }
  const [name = '', ...rest] = config.command ?? [];
  const file = name === 'node' ? process.execPath : findExecutable(name, cwd, env['PATH'] ?? '');
  if (file === null) {
    return misconfigured(
      `"${name}" was not found or may not be executed; install it, or give its absolute path in spec.config.command`,
    );
  }
  return { state: 'ready', message: '', command: { argv: [file, ...rest, ...config.args], env, cwd } };
}

function findExecutable(name: string, cwd: string, path: string): string | null {
  if (name.includes('/')) return executable(isAbsolute(name) ? name : resolve(cwd, name));
  for (const directory of path.split(delimiter)) {
    const found = directory === '' ? null : executable(join(directory, name));
    if (found !== null) return found;
  }
  return null;
}

function executable(file: string): string | null {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile() ? file : null;
  } catch {
    return null;
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function misconfigured(message: string): Program {
  return { state: 'misconfigured', message };
}
