import { spawn } from 'node:child_process';
import { accessSync, constants, readFileSync, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { baseEnvironment } from './environment.ts';

/** The whole installation of one package may take this long. */
export const npmTimeoutMs = 180_000;

/**
 * Installs one package and its dependencies into `directory`, by the running Node, without install scripts and
 * without a shell. Rejects with npm's own words, or the signal's reason; npm has ended by then.
 */
export function runNpm(directory: string, spec: string, closing: AbortSignal): Promise<void> {
  const npm = findNpm();
  if (npm === null) return Promise.reject(new Error('npm was not found on the PATH; install it'));
  const env = npmEnvironment();
  const limit = AbortSignal.timeout(npmTimeoutMs);
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

/** npm's own words, without secrets and without what is another at each try. */
export function reasonOf(words: string, directory: string, secrets: readonly string[]): string {
  const lines = words
    .replaceAll(directory, 'its directory')
    .split('\n')
    .map(line => line.replace(/^npm (error|ERR!|warn|WARN) ?/, '').trim());
  const said = lines
    .filter(line => line !== '' && !/complete log of this run|_logs|^at |\d{4}-\d\d-\d\dT\d\d:/.test(line))
    .slice(0, 3)
    .join(' ');
  return scrub(said, secrets);
}

/** Without credentials: those that are known, those in addresses, and whatever is said to be one. */
function scrub(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of secrets) clean = clean.replaceAll(secret, '***');
  return clean
    .replaceAll(/\/\/[^/\s@"']+@/g, '//***@')
    .replaceAll(/\bnpm_[A-Za-z0-9]{30,}/g, '***')
    .replaceAll(/\b(Bearer|Basic) +[^\s"',]+/gi, '$1 ***')
    .replaceAll(/(_authToken|_auth|_password|password|token)(["']?\s*[=:]\s*)[^\s"',&]+/gi, '$1$2***');
}

const shortestSecret = 4;

/** What npm is given to identify itself with, by its environment and the user's npmrc. */
function secretsOf(env: NodeJS.ProcessEnv): string[] {
  const found = Object.entries(env)
    .filter(([name]) => /^npm_config_.*(auth|password|token|otp)/i.test(name))
    .map(([, value]) => value ?? '');
  const file = env['npm_config_userconfig'] ?? env['NPM_CONFIG_USERCONFIG'] ?? join(env['HOME'] ?? '/', '.npmrc');
  for (const line of readText(file).split('\n')) {
    const match = /(?:_authToken|_auth|_password)\s*=\s*["']?([^"'\s]+)/.exec(line);
    if (match === null) continue;
    const value = match[1]!;
    // npm puts in a variable of its environment itself.
    found.push(value.replaceAll(/\$\{(\w+)\??\}/g, (_, name: string) => env[name] ?? ''));
    // A password is kept in base64 there, alone or behind its user's name, and may be said in plain words.
    found.push(
      Buffer.from(value, 'base64')
        .toString()
        .replace(/^[^:]*:/, ''),
    );
  }
  return found.filter(secret => secret.length >= shortestSecret);
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
    if (directory === '') continue;
    try {
      accessSync(file, constants.F_OK);
      return realpathSync(file);
    } catch {
      // Not here.
    }
  }
  return null;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
