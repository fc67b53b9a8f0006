import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** npm's own words, without secrets and without what is another at each try. */
export function reasonOf(words: string, directory: string, secrets: readonly string[]): string {
  const lines = words
    .replaceAll(directory, 'its directory')
    .split('\n')
    .map(line =>
      line
        .replace(/^npm (error|ERR!|warn|WARN) ?/, '')
        .replace(/^notarget +/, '')
        .trim(),
    );
  const told = lines.filter(line => line !== '' && !noise.test(line));
  // `code` and the like stand before the sentence that says the same and more.
  const sentences = told.filter(line => !/^(code|errno|syscall)\s/.test(line));
  const said = (sentences.length === 0 ? told : sentences).slice(0, 3).join(' ');
  return scrub(steady(said), secrets);
}

/** Where the log is, stack traces, and the fields of an error object. */
const noise =
  /^404( +(Note that|tarball,).*)?$|^In most cases you or one of your|^a package version that doesn't exist|complete log of this run|_logs|^at |\d{4}-\d\d-\d\dT\d\d:|^\}$|^\w+: ('.*'|-?\d+),?$/;

/** Without what differs from try to try: each new text would be news to people. */
function steady(text: string): string {
  return text
    .replaceAll(/\b(connect|read|write) (E[A-Z]+) [\da-f:.]*[.:][\da-f:.]*( - Local \([^)]*\))?/g, '$1 $2')
    .replaceAll(/\b\d+(\.\d+)? ?ms\b/g, 'some ms')
    .replaceAll(/(_cacache\/tmp)\/[\w.-]+/g, '$1');
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
export function secretsOf(env: NodeJS.ProcessEnv): string[] {
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

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
