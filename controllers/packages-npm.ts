import { execFile, spawn } from 'node:child_process';
import { accessSync, constants, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { baseEnvironment } from './environment.ts';
import { reasonOf, secretsOf } from './packages-words.ts';

/** The whole installation of one package may take this long. */
const npmTimeoutMs = 180_000;

/** In the environment of an npm: the directory that it works in. */
export const installMarker = 'MINIMCP_INSTALLS_INTO';

/**
 * Installs one package and its dependencies into `directory`, by the running Node, without install scripts and
 * without a shell. Rejects with npm's own words, or the signal's reason; npm has ended by then.
 */
export function runNpm(directory: string, spec: string, closing: AbortSignal): Promise<void> {
  const npm = findNpm();
  if (npm === null) return Promise.reject(new Error('npm was not found on the PATH; install it'));
  const env = { ...npmEnvironment(), [installMarker]: directory };
  const limit = AbortSignal.timeout(npmTimeoutMs);
  return new Promise((resolve, reject) => {
    const child = spawn(
      npm.program,
      [
        ...npm.args,
        'install',
        '--ignore-scripts',
        // The registry is all that is meant: a dependency from git would run git with our environment, one from an
        // address could ask our network anything. `root`: where a registry keeps the package itself is its business.
        '--allow-git=none',
        '--allow-file=none',
        '--allow-directory=none',
        '--allow-remote=root',
        // An older npm knows none of these; what it has fetched from where is read from its list.
        '--omit-lockfile-registry-resolved=false',
        '--no-audit',
        '--no-fund',
        '--no-save',
        '--no-update-notifier',
        '--loglevel=error',
        // A registry out of reach is told soon; it is tried again from here.
        '--fetch-retries=1',
        '--fetch-retry-mintimeout=1000',
        '--fetch-timeout=60000',
        spec,
      ],
      // Its own group: a Ctrl-C in the terminal is for us to pass on.
      { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'], detached: true, env },
    );
    const end = (): void => void child.kill('SIGKILL');
    const signal = AbortSignal.any([closing, limit]);
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    let words = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-4_000);
    });
    child.on('error', reject);
    child.on('close', code => {
      signal.removeEventListener('abort', end);
      if (code === 0) resolve();
      else if (closing.aborted) reject(new Error('MiniMCP was stopped meanwhile'));
      else if (limit.aborted) reject(new Error(`npm did not finish within ${npmTimeoutMs / 1000} s`));
      else reject(new Error(reasonOf(words, directory, secretsOf(env)) || 'npm gave no reason'));
    });
  });
}

/** With the user's npm configuration, which may name a mirror. */
function npmEnvironment(): NodeJS.ProcessEnv {
  const npm = Object.entries(process.env).filter(([name]) => /^(npm_config_|HOME$)/i.test(name));
  return { ...baseEnvironment(), ...Object.fromEntries(npm) };
}

/** The registries that npm is set up with, for all packages and for scopes; without those with a password in them. */
export async function readRegistries(directory: string): Promise<string[]> {
  const npm = findNpm();
  if (npm === null) return [];
  const { stdout } = await promisify(execFile)(
    npm.program,
    [...npm.args, 'config', 'ls', '--json', '--loglevel=error'],
    { cwd: directory, env: npmEnvironment(), timeout: 30_000, maxBuffer: 10_000_000 },
  );
  return Object.entries(JSON.parse(stdout) as Record<string, unknown>).flatMap(([name, value]) =>
    /^(@.*:)?registry$/.test(name) && typeof value === 'string' ? [value] : [],
  );
}

/** The program behind the `npm` on the PATH: mostly npm-cli.js, which the running Node can run. */
function findNpm(): { readonly program: string; readonly args: readonly string[] } | null {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const file = join(directory, 'npm');
    if (directory === '') continue;
    try {
      accessSync(file, constants.F_OK);
      const found = realpathSync(file);
      return found.endsWith('.js') ? { program: process.execPath, args: [found] } : { program: found, args: [] };
    } catch {
      // Not here.
    }
  }
  return null;
}
