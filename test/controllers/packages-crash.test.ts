import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { baseEnvironment } from '../../controllers/environment.ts';
import { sweepCache } from '../../controllers/packages-sweep.ts';
import { removeTree } from '../../controllers/packages-tree.ts';
import { startRegistry } from '../support/registry.ts';
import type { Registry } from '../support/registry.ts';
import { until } from '../support/until.ts';

/** Several controllers on one cache, and kill -9 to them in the middle of an installation. */
// npm takes its time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

let registry: Registry;
let home: string;

beforeAll(async () => {
  registry = await startRegistry();
  home = mkdtempSync(join(tmpdir(), 'minimcp-packages-home-'));
});
afterAll(async () => {
  await registry.close();
  rmSync(home, { recursive: true, force: true });
});

interface Controller {
  /** What it said when it had ended. */
  result(): Promise<{ state: string; entry: string }>;
  /** kill -9, then waits for its end. */
  kill(): Promise<void>;
}

function startController(directory: string, name: string): Controller {
  const child = spawn(process.execPath, ['test/support/package-cache-main.ts', directory, name, '1.0.0'], {
    env: { ...baseEnvironment(), ...registry.env(home) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (text: Buffer) => (said += text.toString()));
  const ended = new Promise<void>(resolve => child.on('close', () => resolve()));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return {
    result: () => ended.then(() => JSON.parse(said) as { state: string; entry: string }),
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function publish(name: string): string {
  const cli = `#!/usr/bin/env node\n// ${'x'.repeat(200_000)}\n`;
  registry.publish({ name, version: '1.0.0', bin: 'cli.js', files: { 'cli.js': cli } });
  return cli;
}

function createDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'minimcp-packages-'));
  onTestFinished(async () => {
    killOrphans(directory);
    await until('no npm is left', () => npmIn(directory).length === 0);
    await removeTree(directory);
  });
  return directory;
}

/** The npm processes that work below the directory. */
function npmIn(directory: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter(Number.isInteger)
    .filter(pid => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(`${directory}/`);
      } catch {
        return false;
      }
    });
}

function killOrphans(directory: string): void {
  for (const pid of npmIn(directory)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Ended by itself.
    }
  }
}

const tarballs = (name: string): number => registry.requests.filter(path => path.startsWith(`/${name}/-/`)).length;

test('controllers that share a cache install a package once between them', async () => {
  publish('shared');
  const directory = createDirectory();
  const release = registry.hold(/^\/shared$/);
  const controllers = [1, 2, 3].map(() => startController(directory, 'shared'));
  await until('one has begun', () => npmIn(directory).length > 0);
  // While one waits for the registry, no other begins.
  const asked = (): number => registry.requests.filter(path => path === '/shared').length;
  await until('the registry was asked', () => asked() > 0);
  expect(npmIn(directory)).toHaveLength(1);
  release();
  const results = await Promise.all(controllers.map(controller => controller.result()));
  for (const result of results) expect(result).toEqual(results[0]);
  expect(results[0]!.state).toBe('ready');
  expect(asked()).toBe(1);
  expect(tarballs('shared')).toBe(1);
});

/** When to kill, as something that can be seen from outside. */
const moments: [string, (directory: string, name: string) => boolean][] = [
  ['when its directory is made', directory => readdirSync(directory).some(name => name.startsWith('.installing-'))],
  ['when npm runs', directory => npmIn(directory).length > 0],
  ['when the package is fetched', (_directory, name) => tarballs(name) > 0],
  ['when files are unpacked', directory => unpacked(directory)],
  ['when the record is written', directory => readdirSync(directory).some(name => name.endsWith('@manifest.json'))],
];

const unfinished = (directory: string): string[] =>
  readdirSync(directory).filter(name => name.startsWith('.installing-'));

function unpacked(directory: string): boolean {
  const temporary = readdirSync(directory).find(name => name.startsWith('.installing-'));
  if (temporary === undefined) return false;
  try {
    return readdirSync(join(directory, temporary, 'node_modules')).length > 0;
  } catch {
    return false;
  }
}

test.each(moments)('kill -9 of controller and npm %s leaves nothing that looks installed', async (moment, reached) => {
  const name = moment.replaceAll(/\W+/g, '-');
  const cli = publish(name);
  const directory = createDirectory();
  const victim = startController(directory, name);
  // No pause between looks: the moments are short.
  while (!reached(directory, name)) await new Promise(resolve => setImmediate(resolve));
  await victim.kill();
  killOrphans(directory);
  const left = readdirSync(directory).filter(entry => !entry.includes('@') && !entry.startsWith('.'));
  // Published or not: a directory under the package's name is a whole one.
  const target = join(directory, `${name}%401.0.0`);
  if (left.length > 0) expect(readFileSync(join(target, `node_modules/${name}/cli.js`), 'utf8')).toBe(cli);
  const next = await startController(directory, name).result();
  expect(next).toMatchObject({ state: 'ready', entry: join(target, `node_modules/${name}/cli.js`) });
  expect(readFileSync(next.entry, 'utf8')).toBe(cli);
  expect(unfinished(directory)).toEqual([]);
});

test('an npm that outlives its controller is ended by the next that installs the package', async () => {
  const cli = publish('orphaned');
  const directory = createDirectory();
  const release = registry.hold(/^\/orphaned\/-\//);
  const victim = startController(directory, 'orphaned');
  await until('npm fetches the package', () => tarballs('orphaned') > 0);
  await victim.kill();
  const [orphan] = npmIn(directory);
  expect(unfinished(directory)).toHaveLength(1);
  const next = startController(directory, 'orphaned');
  await until('the next one fetches it too', () => tarballs('orphaned') > 1);
  expect(npmIn(directory)).not.toContain(orphan);
  release();
  const { entry } = await next.result();
  expect(readFileSync(entry, 'utf8')).toBe(cli);
  expect(unfinished(directory)).toEqual([]);
});

test('a sweep ends the npm of a killed controller and removes what it did, but not those of a live one', async () => {
  for (const name of ['swept', 'live']) publish(name);
  const directory = createDirectory();
  onTestFinished(registry.hold(/^\/(swept|live)\/-\//));
  const victim = startController(directory, 'swept');
  startController(directory, 'live');
  await until('both are fetched', () => tarballs('swept') > 0 && tarballs('live') > 0);
  await victim.kill();
  expect(npmIn(directory)).toHaveLength(2);
  await sweepCache(directory);
  expect(unfinished(directory)).toEqual([expect.stringMatching(/^\.installing-live%40/)]);
  await until('its npm has ended', () => npmIn(directory).length === 1);
});
