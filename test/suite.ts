import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';

/** Every check and every test; the last line is `N passed, N failed[, N skipped]`. */
const bin = resolve('node_modules/.bin');
const env = { ...process.env, PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}` };
const temporary = mkdtempSync(join(tmpdir(), 'minimcp-suite-'));
const report = join(temporary, 'report.json');

const checks: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['types', 'tsc'],
  ['lint', 'oxlint', '--type-aware', '--deny-warnings'],
  ['format', 'oxfmt', '--check'],
  ['unused code', 'knip'],
  ['build', 'node', 'build.ts'],
];

let passed = 0;
let failed = 0;
let skipped = 0;

for (const [name, command, ...args] of checks) {
  const { status, stdout, stderr } = spawnSync(join(bin, command), args, { env, encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (status === 0) passed += 1;
  else failed += 1;
  process.stdout.write(status === 0 ? `✓ ${name}\n` : `✗ ${name}\n${stdout}${stderr}\n`);
}

const tests = spawnSync(
  join(bin, 'vitest'),
  ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
  {
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  },
);
try {
  const counts = JSON.parse(readFileSync(report, 'utf8')) as Record<string, number>;
  passed += counts['numPassedTests'] ?? 0;
  failed += counts['numFailedTests'] ?? 0;
  skipped += counts['numPendingTests'] ?? 0;
  // A file that could not be loaded has no failed test, and still fails.
  if (tests.status !== 0 && (counts['numFailedTests'] ?? 0) === 0) failed += 1;
} catch {
  process.stdout.write('the tests left no report\n');
  failed += 1;
} finally {
  rmSync(temporary, { recursive: true, force: true });
}

// Elsewhere a test may skip for want of a program; in CI everything is there.
if (skipped > 0 && process.env['CI']) {
  process.stdout.write(`${skipped} skipped tests count as failed in CI\n`);
  failed += skipped;
  skipped = 0;
}
process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
process.exitCode = failed === 0 ? 0 : 1;
