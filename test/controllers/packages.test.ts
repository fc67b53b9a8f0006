import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { createPackageCache } from '../../controllers/packages.ts';
import type { InstalledPackage, PackageCache } from '../../controllers/packages.ts';
import { removeTree } from '../../controllers/packages-tree.ts';
import { createLogger } from '../../src/logger.ts';
import { startRegistry } from '../support/registry.ts';
import type { PublishedPackage, Registry } from '../support/registry.ts';
import { until } from '../support/until.ts';

// npm takes its time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

let registry: Registry;
let home: string;

beforeAll(async () => {
  registry = await startRegistry();
  home = mkdtempSync(join(tmpdir(), 'minimcp-packages-home-'));
  for (const [name, value] of Object.entries(registry.env(home))) vi.stubEnv(name, value);
});
afterAll(async () => {
  await registry.close();
  rmSync(home, { recursive: true, force: true });
});

const program = '#!/usr/bin/env node\nprocess.stdout.write("ran");\n';

function published(name: string, part: Partial<PublishedPackage> = {}): PublishedPackage {
  return { name, version: '1.0.0', bin: 'cli.js', files: { 'cli.js': program }, ...part };
}

function createDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'minimcp-packages-'));
  onTestFinished(() => removeTree(directory));
  return directory;
}

function createCache(directory = createDirectory()): { directory: string; cache: PackageCache } {
  const cache = createPackageCache({ directory, onChange: () => {}, log: createLogger('silent') });
  onTestFinished(() => cache.close());
  return { directory, cache };
}

/** Resolves until it is ready or not to be had. */
function outcome(cache: PackageCache, name: string): Promise<InstalledPackage> {
  return until(
    `${name} is settled`,
    () => {
      const found = cache.resolve(name, '1.0.0');
      return (found.state === 'ready' || found.state === 'misconfigured') && found;
    },
    30_000,
  );
}

const visible = (directory: string): string[] => readdirSync(directory).filter(name => !name.includes('@'));
const manifestOf = (directory: string, name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(directory, `${encodeURIComponent(`${name}@1.0.0`)}@manifest.json`), 'utf8'));
const tarballs = (name: string): number => registry.requests.filter(path => path.startsWith(`/${name}/-/`)).length;

test('a package is installed once, read-only, with the integrity of everything in it', async () => {
  registry.publish(
    published('whole', { dependencies: { 'whole-dependency': '^1.0.0' } }),
    published('whole-dependency', { files: { 'index.js': 'module.exports = 1;' } }),
  );
  const { directory, cache } = createCache();
  expect(cache.resolve('whole', '1.0.0')).toEqual({ state: 'installing', message: 'Installing whole@1.0.0' });
  const ready = await outcome(cache, 'whole');
  if (ready.state !== 'ready') throw new Error(ready.message);
  const { integrity, packages, bytes, ms } = ready.installation;
  expect({ integrity, packages }).toEqual({ integrity: registry.integrity('whole'), packages: 2 });
  expect(bytes).toBeGreaterThan(program.length);
  expect(ms).toBeGreaterThan(0);
  expect(readFileSync(ready.entry, 'utf8')).toBe(program);
  expect(manifestOf(directory, 'whole')).toMatchObject({
    integrity,
    integrities: {
      'whole@1.0.0': integrity,
      'whole-dependency@1.0.0': registry.integrity('whole-dependency'),
    },
    digest: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  const all = readdirSync(join(directory, 'whole%401.0.0'), { recursive: true, encoding: 'utf8' });
  expect(all.length).toBeGreaterThan(5);
  for (const path of ['.', ...all]) {
    const file = join(directory, 'whole%401.0.0', path);
    if (!file.includes('.bin/')) expect(statSync(file).mode & 0o222, path).toBe(0);
  }
  expect(visible(directory)).toEqual(['whole%401.0.0']);

  // A process that comes later takes it as it is.
  const before = registry.requests.length;
  const later = await outcome(createCache(directory).cache, 'whole');
  expect(later).toEqual(ready);
  expect(registry.requests.length).toBe(before);
});

test.each([
  ['a changed byte', (file: string) => writeFileSync(file, program.replace('ran', 'run'))],
  ['a missing file', (file: string) => rmSync(file)],
  ['an added file', (file: string) => writeFileSync(`${file}.more`, '')],
])('%s is seen at the next start, and the package installed again', async (_what, damage) => {
  registry.publish(published('damaged'));
  const { directory, cache } = createCache();
  const first = await outcome(cache, 'damaged');
  if (first.state !== 'ready') throw new Error(first.message);
  // Whoever changes it has to take the right to first.
  chmodSync(join(first.entry, '..'), 0o700);
  chmodSync(first.entry, 0o600);
  const { mtime, atime } = statSync(first.entry);
  damage(first.entry);
  if (existsSync(first.entry)) utimesSync(first.entry, atime, mtime);
  const words: string[] = [];
  const next = createCache(directory).cache;
  const again = await until('it is installed again', () => {
    const found = next.resolve('damaged', '1.0.0');
    if (words.at(-1) !== found.state) words.push(found.state);
    if (found.state === 'installing') expect(found.message).toMatch(/^Installing damaged@1.0.0 again: files are /);
    return found.state === 'ready' && found;
  });
  expect(words).toEqual(['checking', 'installing', 'ready']);
  expect(again.entry).toBe(first.entry);
  expect(readFileSync(again.entry, 'utf8')).toBe(program);
  expect(existsSync(`${again.entry}.more`)).toBe(false);
  // The damaged one is kept for a while.
  expect(visible(directory).filter(name => name.startsWith('.damaged-'))).toHaveLength(1);
});

test('a copy of the cache, as from a backup, is read once and taken', async () => {
  registry.publish(published('copied'));
  const { directory, cache } = createCache();
  const first = await outcome(cache, 'copied');
  if (first.state !== 'ready') throw new Error(first.message);
  const stamp = manifestOf(directory, 'copied')['stamp'];
  utimesSync(first.entry, 1, 1);
  const before = registry.requests.length;
  expect((await outcome(createCache(directory).cache, 'copied')).state).toBe('ready');
  expect(registry.requests.length).toBe(before);
  expect(manifestOf(directory, 'copied')['stamp']).not.toBe(stamp);
});

test('an installation without its record is none, nor is a half one', async () => {
  registry.publish(published('recordless'));
  const directory = createDirectory();
  const target = join(directory, 'recordless%401.0.0');
  mkdirSync(join(target, 'node_modules/recordless'), { recursive: true });
  writeFileSync(join(target, 'node_modules/recordless/package.json'), '{"bin":"evil.js"}');
  writeFileSync(join(target, 'node_modules/recordless/evil.js'), '');
  const { cache } = createCache(directory);
  const found = await outcome(cache, 'recordless');
  expect(found).toMatchObject({ state: 'ready', entry: join(target, 'node_modules/recordless/cli.js') });
});

test('other content under the same version is refused, of the package and of what it needs', async () => {
  const withDependency = published('swapped', { dependencies: { 'swapped-dependency': '1.0.0' } });
  registry.publish(withDependency, published('swapped-dependency'));
  const directory = createDirectory();
  expect((await outcome(createCache(directory).cache, 'swapped')).state).toBe('ready');
  const recorded = registry.integrity('swapped-dependency');
  await removeTree(join(directory, 'swapped%401.0.0'));
  registry.publish(published('swapped-dependency', { files: { 'cli.js': `${program}// evil` } }));
  const refused = await outcome(createCache(directory).cache, 'swapped');
  expect(refused).toMatchObject({ state: 'misconfigured', installed: false });
  if (refused.state !== 'misconfigured') throw new Error();
  expect(refused.message).toContain('its dependency swapped-dependency@1.0.0 with other content than before');
  expect(refused.message).toContain(recorded);
  expect(refused.message).toContain('remove packages/swapped%401.0.0@manifest.json');
  expect(visible(directory)).toEqual([]);

  // Whoever does trust it says so by taking the record away.
  rmSync(join(directory, 'swapped%401.0.0@manifest.json'));
  expect((await outcome(createCache(directory).cache, 'swapped')).state).toBe('ready');
});

test('a registry that does not answer holds nobody up, and many who ask are one installation', async () => {
  registry.publish(published('slow'), published('quick'));
  const release = registry.hold(/^\/slow$/);
  const { directory, cache } = createCache();
  for (let look = 0; look < 50; look++) expect(cache.resolve('slow', '1.0.0').state).toBe('installing');
  expect((await outcome(cache, 'quick')).state).toBe('ready');
  expect(cache.resolve('slow', '1.0.0').state).toBe('installing');
  release();
  expect((await outcome(cache, 'slow')).state).toBe('ready');
  expect(tarballs('slow')).toBe(1);
  expect(visible(directory).toSorted()).toEqual(['quick%401.0.0', 'slow%401.0.0']);
});

test('a cache that is closed ends its npm and takes its directory away', async () => {
  registry.publish(published('unfinished'));
  onTestFinished(registry.hold(/^\/unfinished$/));
  const { directory, cache } = createCache();
  cache.resolve('unfinished', '1.0.0');
  await until('the registry is asked', () => registry.requests.includes('/unfinished'));
  expect(visible(directory)).toHaveLength(1);
  await cache.close();
  expect(visible(directory)).toEqual([]);
});

test('a package that does not exist is told in words that are the same at each try, and leaves nothing', async () => {
  const { directory, cache } = createCache();
  const old = join(directory, '.installing-old');
  const young = join(directory, '.installing-young');
  for (const path of [old, young]) mkdirSync(path);
  utimesSync(old, 1, 1);
  const failed = await outcome(cache, '@minimcp-test/no-such-package');
  const other = await outcome(createCache().cache, '@minimcp-test/no-such-package');
  if (failed.state !== 'misconfigured') throw new Error();
  expect(failed.message).toMatch(/could not be installed: .*404/);
  expect(failed.message).not.toMatch(/_logs|complete log/);
  expect(other).toMatchObject({ message: failed.message });
  // What a kill -9 left long ago is gone; what may still run is not.
  expect(visible(directory)).toEqual(['.installing-young']);
});

test("npm's words are told without the credentials in them", async () => {
  const secrets = ['npm-token-of-the-mirror', 'password-in-the-address', 'secret-in-an-answer'];
  writeFileSync(join(home, 'npmrc'), `//${new URL(registry.url).host}/:_authToken=${secrets[0]}\n`);
  vi.stubEnv('npm_config_registry', registry.url.replace('//', `//someone:${secrets[1]}@`));
  onTestFinished(() => {
    vi.stubEnv('npm_config_registry', `${registry.url}/`);
    rmSync(join(home, 'npmrc'));
  });
  registry.refuse(/^\/denied$/, 403, JSON.stringify({ error: `no: Bearer ${secrets[2]}, _authToken=${secrets[0]}` }));
  const { cache } = createCache();
  const failed = await outcome(cache, 'denied');
  if (failed.state !== 'misconfigured') throw new Error();
  expect(failed.message).toMatch(/could not be installed: .*403/);
  for (const secret of secrets) expect(failed.message).not.toContain(secret);
});

test.each([
  ['no-program', { bin: {} }, /no-program has no program; use spec.config.command/],
  ['two-programs', { bin: { a: 'a.js', b: 'b.js' } }, /has several programs \(a, b\)/],
  [
    'shell-script',
    { bin: 'run', files: { run: '#!/bin/sh\n' } },
    /The program run of .* is no Node program, but one for "\/bin\/sh"/,
  ],
  ['binary', { bin: 'run', files: { run: Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1]) } }, /is a binary/],
  ['missing', { bin: 'dist/cli.js' }, /is not in the package/],
  ['typescript', { bin: 'cli.ts', files: { 'cli.ts': '' } }, /is TypeScript/],
] as [string, Partial<PublishedPackage>, RegExp][])('%s: what cannot be run is said', async (name, part, sentence) => {
  registry.publish(published(name, part));
  const { cache } = createCache();
  const found = await outcome(cache, name);
  expect(found).toMatchObject({ state: 'misconfigured', installed: true, message: expect.stringMatching(sentence) });
  // It is not fetched again and again for it.
  expect(cache.resolve(name, '1.0.0')).toBe(found);
  expect(tarballs(name)).toBe(1);
});
