import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { fillProgram } from '../specs/types/program.ts';
import { stdioConfig } from '../specs/types/stdio.ts';
import type { StdioConfig } from '../specs/types/stdio.ts';
import type { Assignment } from '../specs/assignment.ts';
import { baseEnvironment } from './environment.ts';
import type { PackageCache } from './packages.ts';
import type { Installation } from './packages-manifest.ts';
import { typeOf } from './server-type.ts';
import type { TypedRow } from './server-type.ts';

export type Program =
  | {
      readonly state: 'ready';
      readonly message: string;
      readonly command: Assignment['command'];
      /** Of a package. */
      readonly installation?: Installation;
    }
  | {
      readonly state: 'checking' | 'installing' | 'misconfigured';
      readonly message: string;
      /** It is misconfigured because its package could not be installed. */
      readonly notInstalled?: boolean;
      /** It is misconfigured because the instance's config does not fit its type. */
      readonly misfit?: boolean;
    };

export interface ProgramOptions {
  /** Directory of the instances' own working directories, which outlive their processes. */
  readonly workRoot: string;
  readonly packages: PackageCache;
}

/**
 * What an instance's host is to run: nothing more for a built-in server, an argv for `stdio`. Cheap enough
 * for every pass, so what was mended (a program installed, a package fetched) is seen by itself.
 */
export function resolveProgram(instance: TypedRow & { uid: string }, options: ProgramOptions): Program {
  const type = typeOf(instance);
  if (type === null) return misconfigured(`There is no type "${instance.type}"; GET /types lists what there is`);
  const config = type.config.safeParse(instance.config);
  if (!config.success) {
    const issue = config.error.issues[0];
    const fault = `${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim();
    const message = `spec.config does not fit the type ${type.name} (any more): ${fault}`;
    return { state: 'misconfigured', message, misfit: true };
  }
  if (type.manifest !== null) {
    const where = (field: string): string => `${field} in the manifest of type "${type.name}"`;
    return resolveStdio(instance.uid, fillProgram(type.manifest, config.data), where, options);
  }
  if (type.name !== 'stdio') return { state: 'ready', message: '', command: null };
  return resolveStdio(instance.uid, stdioConfig.parse(instance.config), field => `spec.config.${field}`, options);
}

/** `where` names a field for people: where it has to be mended. */
function resolveStdio(
  uid: string,
  config: StdioConfig,
  where: (field: string) => string,
  options: ProgramOptions,
): Program {
  const home = join(options.workRoot, uid);
  const cwd = config.cwd ?? home;
  if (config.cwd === undefined) mkdirSync(home, { recursive: true, mode: 0o700 });
  else if (!isDirectory(config.cwd))
    return misconfigured(`${where('cwd')}: ${config.cwd} is not a directory; make it or name another`);
  const env: Record<string, string> = { ...baseEnvironment(), HOME: home, ...config.env };

  if (config.package !== undefined && config.version !== undefined) {
    const installed = options.packages.resolve(config.package, config.version);
    if (installed.state !== 'ready') {
      const { state, message } = installed;
      if (state !== 'misconfigured') return { state, message };
      // Where there is no program that could be run, another try would find no other.
      if (installed.installed) return misconfigured(`${message}; give ${where('command')} instead`);
      return { state, message, notInstalled: true };
    }
    return {
      state: 'ready',
      message: '',
      command: { argv: [process.execPath, installed.entry, ...config.args], env, cwd },
      installation: installed.installation,
    };
  }
  const [name = '', ...rest] = config.command ?? [];
  const file = name === 'node' ? process.execPath : findExecutable(name, cwd, env['PATH'] ?? '');
  if (file === null) {
    return misconfigured(
      `"${name}" was not found or may not be executed; install it, or give its absolute path in ${where('command')}`,
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
