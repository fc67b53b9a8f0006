import { spawn } from 'node:child_process';
import {
  accessSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import PQueue from 'p-queue';
import type { Logger } from '../src/logger.ts';
import { baseEnvironment } from './environment.ts';

export type InstalledPackage =
  | { readonly state: 'ready'; readonly entry: string }
  | { readonly state: 'installing' | 'misconfigured'; readonly message: string };

export interface PackageCache {
  /** Where the package's program is; starts the installation when it is not there yet. Never waits. */
  resolve(name: string, version: string): InstalledPackage;
  /** Ends running installations. */
  close(): void;
}

export interface PackageCacheOptions {
  readonly directory: string;
  /** Something became ready or failed. */
  readonly onChange: () => void;
  readonly log: Logger;
}

const retryMs = 30_000;
const timeoutMs = 180_000;

/**
 * Packages of the npm registry at exact versions, each installed once, by the running Node, without install
 * scripts and without a shell. A finished installation appears by a rename, so a crash leaves only a
 * temporary directory, and two controllers may install the same package.
 */
export function createPackageCache(options: PackageCacheOptions): PackageCache {
  const running = new Set<string>();
  const failures = new Map<string, { at: number; message: string }>();
  const children = new Set<{ kill(signal: NodeJS.Signals): boolean }>();
  const queue = new PQueue({ concurrency: 2 });
  let closed = false;

  async function install(name: string, version: string, target: string): Promise<void> {
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    removeAbandoned(options.directory);
    const temporary = mkdtempSync(join(options.directory, '.installing-'));
    try {
      writeFileSync(join(temporary, 'package.json'), '{"private":true}');
      await runNpm(temporary, `${name}@${version}`);
      entryOf(temporary, name);
      renameSync(temporary, target);
    } catch (error) {
      // Another controller's installation of the same package serves as well.
      rmSync(temporary, { recursive: true, force: true });
      if (!exists(target)) throw error;
    }
  }

  function runNpm(directory: string, spec: string): Promise<void> {
    const npm = findNpm();
    if (npm === null) throw new Error('npm was not found on the PATH; install it');
    return new Promise((resolve, reject) => {
      const child = spawn(
        npm.endsWith('.js') ? process.execPath : npm,
        [
          ...(npm.endsWith('.js') ? [npm] : []),
          'install',
          '--ignore-scripts',
          // A dependency from git would run git with our environment; the registry is all that is meant.
          '--allow-git=none',
          '--no-audit',
          '--no-fund',
          '--no-save',
          '--loglevel=error',
          // A registry out of reach is told soon; it is tried again from here.
          '--fetch-retries=1',
          '--fetch-retry-mintimeout=1000',
          spec,
        ],
        // Its own group: a Ctrl-C in the terminal is for us to pass on.
        {
          cwd: directory,
          stdio: ['ignore', 'ignore', 'pipe'],
          detached: true,
          timeout: timeoutMs,
          killSignal: 'SIGKILL',
          env: npmEnvironment(),
        },
      );
      children.add(child);
      let words = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        words = (words + text).slice(-4_000);
      });
      child.on('error', reject);
      child.on('close', code => {
        children.delete(child);
        if (code === 0) resolve();
        else reject(new Error(reasonOf(words) || 'npm gave no reason'));
      });
    });
  }

  function start(name: string, version: string, target: string): void {
    const key = `${name}@${version}`;
    if (running.has(key) || closed) return;
    running.add(key);
    void queue.add(async () => {
      const log = options.log.child({ package: key });
      try {
        log.info('installing');
        await install(name, version, target);
        failures.delete(key);
        log.info('installed');
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        failures.set(key, { at: performance.now(), message });
        log.warn({ reason: message }, 'could not be installed');
      }
      running.delete(key);
      options.onChange();
    });
  }

  return {
    resolve(name, version) {
      const key = `${name}@${version}`;
      const target = join(options.directory, encodeURIComponent(key));
      if (exists(target)) return readyPackage(target, name);
      const failure = failures.get(key);
      if (failure === undefined || performance.now() - failure.at > retryMs) start(name, version, target);
      if (failure === undefined) return { state: 'installing', message: `Installing ${key}` };
      return { state: 'misconfigured', message: `${key} could not be installed: ${failure.message}` };
    },
    close() {
      closed = true;
      queue.clear();
      for (const child of children) child.kill('SIGKILL');
    },
  };
}

/** What a kill -9 in the middle of an installation left; one that still runs is younger than its time limit. */
function removeAbandoned(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (!name.startsWith('.installing-')) continue;
    const path = join(directory, name);
    const ageMs = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (ageMs > 2 * timeoutMs) rmSync(path, { recursive: true, force: true });
  }
}

function readyPackage(target: string, name: string): InstalledPackage {
  try {
    return { state: 'ready', entry: entryOf(target, name) };
  } catch (error) {
    return { state: 'misconfigured', message: error instanceof Error ? error.message : String(error) };
  }
}

/** The package's one program, or the one that is named like it. */
function entryOf(directory: string, name: string): string {
  const root = join(directory, 'node_modules', ...name.split('/'));
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    bin?: string | Record<string, string>;
  };
  const short = name.slice(name.indexOf('/') + 1);
  const programs = typeof manifest.bin === 'string' ? { [short]: manifest.bin } : (manifest.bin ?? {});
  const names = Object.keys(programs);
  const entry = Object.hasOwn(programs, short) ? programs[short] : names.length === 1 ? programs[names[0]!] : undefined;
  if (entry === undefined) {
    throw new Error(
      `${name} has ${names.length === 0 ? 'no program' : `several programs (${names.join(', ')})`}; use spec.config.command`,
    );
  }
  return join(root, entry);
}

/** npm's own words, without those that are another at each try. */
function reasonOf(words: string): string {
  const lines = words.split('\n').map(line => line.replace(/^npm (error|ERR!) ?/, '').trim());
  return lines
    .filter(line => line !== '' && !/complete log of this run|_logs/.test(line))
    .slice(0, 3)
    .join(' ');
}

/** With the user's npm configuration, which may name a mirror. */
function npmEnvironment(): NodeJS.ProcessEnv {
  const npm = Object.entries(process.env).filter(([name]) => /^(npm_config_|HOME$)/i.test(name));
  return { ...baseEnvironment(), ...Object.fromEntries(npm) };
}

/** The program behind the `npm` on the PATH: mostly npm-cli.js, which the running Node can run. */
function findNpm(): string | null {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const file = join(directory, 'npm');
    if (directory !== '' && exists(file)) return realpathSync(file);
  }
  return null;
}

function exists(path: string): boolean {
  try {
    accessSync(path, constants.F_OK);
    return true;
  } catch {
    return false;
  }
}
