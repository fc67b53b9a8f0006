import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { createCleanup } from '../../controllers/cleanup.ts';
import { createPackageCache } from '../../controllers/packages.ts';
import type { InstalledPackage, PackageCache } from '../../controllers/packages.ts';
import { removeTree } from '../../controllers/packages-tree.ts';
import { reasonOf } from '../../controllers/packages-words.ts';
import { resolveProgram } from '../../controllers/program.ts';
import type { Runtime } from '../../controllers/runtime/runtime.ts';
import { typeManifest } from '../../specs/types/manifest.ts';
import type { Pool } from '../../src/db/pool.ts';
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

const realPath = process.env['PATH']!;
const npmFile = realpathSync(
  realPath
    .split(delimiter)
    .map(directory => join(directory, 'npm'))
    .find(existsSync)!,
);

/** No registry answers for the rest of the test. */
function leaveRegistry(): void {
  vi.stubEnv('npm_config_registry', 'http://127.0.0.1:9/');
  vi.stubEnv('npm_config_cache', createDirectory());
  vi.stubEnv('npm_config_fetch_retries', '0');
  onTestFinished(() => {
    for (const [name, value] of Object.entries(registry.env(home))) vi.stubEnv(name, value);
  });
}

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
    contents: { 'node_modules/whole/cli.js': expect.stringMatching(/^file [0-9a-f]{64}$/), node_modules: 'directory' },
  });
  const all = readdirSync(join(directory, 'whole%401.0.0'), { recursive: true, encoding: 'utf8' });
  expect(all.length).toBeGreaterThan(5);
  // Its owner can rename it, and write nothing below.
  expect(statSync(join(directory, 'whole%401.0.0')).mode & 0o777).toBe(0o700);
  for (const path of all) {
    const file = join(directory, 'whole%401.0.0', path);
    const stat = statSync(file);
    if (!file.includes('.bin/')) expect(stat.mode & 0o222, path).toBe(0);
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
])('%s is seen at the next start, and the package installed again', async (_what, damage) => {
  registry.publish(published('damaged'));
  const { directory, cache } = createCache();
  const first = await outcome(cache, 'damaged');
  if (first.state !== 'ready') throw new Error(first.message);
  // Whoever changes it has to take the right to first.
  chmodSync(first.entry, 0o600);
  const { mtime, atime } = statSync(first.entry);
  damage(first.entry);
  if (existsSync(first.entry)) utimesSync(first.entry, atime, mtime);
  const again = /^Installing damaged@1.0.0 again: node_modules\/damaged\/cli.js is (missing|not what was installed)$/;
  const words: string[] = [];
  const next = createCache(directory).cache;
  const mended = await until('it is installed again', () => {
    const found = next.resolve('damaged', '1.0.0');
    if (words.at(-1) !== found.state) words.push(found.state);
    if (found.state === 'installing') expect(found.message).toMatch(again);
    return found.state === 'ready' && found;
  });
  expect(words).toEqual(['checking', 'installing', 'ready']);
  expect(mended.entry).toBe(first.entry);
  expect(readFileSync(mended.entry, 'utf8')).toBe(program);
  // The damaged one is kept for a while.
  expect(visible(directory).filter(name => name.startsWith('.damaged-'))).toHaveLength(1);
});

test('what was added is taken away, and nothing else, with no registry in reach', async () => {
  registry.publish(published('added'));
  const { directory, cache } = createCache();
  const first = await outcome(cache, 'added');
  if (first.state !== 'ready') throw new Error(first.message);
  const inode = statSync(first.entry).ino;
  const added = [`${first.entry}.db`, join(directory, 'added%401.0.0/node_modules/shadow/index.js')];
  for (const file of added) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, '');
  }
  leaveRegistry();
  expect(await outcome(createCache(directory).cache, 'added')).toEqual(first);
  expect(statSync(first.entry).ino).toBe(inode);
  for (const file of added) expect(existsSync(file), file).toBe(false);
  expect(existsSync(dirname(added[1]!))).toBe(false);
  expect(visible(directory)).toEqual(['added%401.0.0']);
});

test('a damaged package that cannot be had again is told with both reasons, and left where it is', async () => {
  registry.publish(published('beyond'));
  const { directory, cache } = createCache();
  const first = await outcome(cache, 'beyond');
  if (first.state !== 'ready') throw new Error(first.message);
  rmSync(first.entry);
  leaveRegistry();
  const failed = await outcome(createCache(directory).cache, 'beyond');
  expect(failed).toMatchObject({ state: 'misconfigured', installed: false });
  if (failed.state !== 'misconfigured') throw new Error();
  expect(failed.message).toMatch(
    /^beyond@1.0.0 is damaged: node_modules\/beyond\/cli.js is missing\. beyond@1.0.0 could not be installed again: .*ECONNREFUSED/,
  );
  expect(existsSync(dirname(first.entry))).toBe(true);
  expect(visible(directory)).toEqual(['beyond%401.0.0']);
});

test('what cannot be read now is no damage', async () => {
  registry.publish(published('unreadable'));
  const { directory, cache } = createCache();
  const first = await outcome(cache, 'unreadable');
  if (first.state !== 'ready') throw new Error(first.message);
  const inode = statSync(first.entry).ino;
  const before = registry.requests.length;
  // A directory in the place of a file fails for root, too.
  const record = join(directory, 'unreadable%401.0.0@manifest.json');
  renameSync(record, `${record}.kept`);
  mkdirSync(record);
  const next = createCache(directory).cache;
  const failed = await outcome(next, 'unreadable');
  expect(failed).toMatchObject({ message: expect.stringMatching(/could not be checked, .* EISDIR/) });
  rmSync(record, { recursive: true });
  renameSync(`${record}.kept`, record);
  expect(
    (
      await until('it is readable again', () => {
        const found = next.resolve('unreadable', '1.0.0');
        return found.state === 'ready' && found;
      })
    ).entry,
  ).toBe(first.entry);
  expect(statSync(first.entry).ino).toBe(inode);
  expect(registry.requests.length).toBe(before);
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

test('a hash that is left out is other content too', async () => {
  registry.publish(published('unhashed'));
  const directory = createDirectory();
  expect((await outcome(createCache(directory).cache, 'unhashed')).state).toBe('ready');
  await removeTree(join(directory, 'unhashed%401.0.0'));
  registry.publish(published('unhashed', { files: { 'cli.js': `${program}// evil` } }));
  registry.withholdIntegrity('unhashed');
  expect(await outcome(createCache(directory).cache, 'unhashed')).toMatchObject({
    state: 'misconfigured',
    message: expect.stringContaining('now it is none'),
  });
  expect(visible(directory)).toEqual([]);
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
  const failed = await outcome(cache, '@minimcp-test/no-such-package');
  const other = await outcome(createCache().cache, '@minimcp-test/no-such-package');
  if (failed.state !== 'misconfigured') throw new Error();
  expect(failed.message).toMatch(/could not be installed: .*404/);
  expect(failed.message).not.toMatch(/_logs|complete log/);
  expect(other).toMatchObject({ message: failed.message });
  expect(visible(directory)).toEqual([]);
});

test('a sweep removes what nobody works on, and leaves what is installed now', async () => {
  registry.publish(published('at-work'));
  onTestFinished(registry.hold(/^\/at-work$/));
  const { directory, cache } = createCache();
  await createCache(join(directory, 'never-made')).cache.sweep();
  cache.resolve('at-work', '1.0.0');
  await until('the registry is asked', () => registry.requests.includes('/at-work'));
  const [working] = visible(directory);
  const dead = ['.installing-gone%401.0.0-abcdef', '.installing-at-work%401.0.0-beta-abcdef', '.damaged-old'];
  const kept = ['.damaged-young', '.manifest-young'];
  for (const name of [...dead, ...kept]) mkdirSync(join(directory, name, 'node_modules'), { recursive: true });
  utimesSync(join(directory, '.damaged-old'), 1, 1);
  await cache.sweep();
  expect(visible(directory).toSorted()).toEqual([working!, ...kept].toSorted());
});

test('the cleanup controller sweeps the packages', async () => {
  let swept = false;
  const packages: PackageCache = { ...createCache().cache, sweep: async () => void (swept = true) };
  const runtime = { attemptsWithProcesses: () => new Set() } as unknown as Runtime;
  const roots = { runRoot: '/nowhere', workRoot: '/nowhere' };
  // Without a database its other steps fail, and that is none of this one's business.
  const { loops } = createCleanup({
    pool: {} as Pool,
    node: 'n',
    local: { runtime, packages, ...roots },
    log: createLogger('silent'),
  });
  for (const loop of loops) loop.start();
  onTestFinished(async () => void (await Promise.all(loops.map(loop => loop.stop()))));
  await until('it has swept', () => swept);
});

test('without flock nothing is installed, and what to install first is said', async () => {
  registry.publish(published('lockless'));
  const { directory, cache } = createCache();
  const programs = createDirectory();
  symlinkSync(npmFile, join(programs, 'npm'));
  vi.stubEnv('PATH', programs);
  onTestFinished(() => void vi.stubEnv('PATH', realPath));
  const failed = await outcome(cache, 'lockless');
  expect(failed).toMatchObject({ message: expect.stringContaining('flock is not on the PATH; install util-linux') });
  expect(visible(directory)).toEqual([]);
});

/** An npm before it had --allow-remote and the like: it fetches whatever a package names. */
function useOlderNpm(): void {
  const programs = createDirectory();
  const main = join(programs, 'npm-old.js');
  writeFileSync(
    main,
    `process.argv = process.argv.filter(arg => !arg.startsWith('--allow-'));\n` +
      `for (const kind of ['remote', 'file', 'directory']) process.argv.push('--allow-' + kind + '=all');\n` +
      `require(${JSON.stringify(npmFile)});\n`,
  );
  symlinkSync(main, join(programs, 'npm'));
  vi.stubEnv('PATH', `${programs}:${realPath}`);
  onTestFinished(() => void vi.stubEnv('PATH', realPath));
}

test('a dependency from elsewhere than the registry is not even fetched', async () => {
  const elsewhere = await startOther();
  const dependencies = { evil: `${elsewhere.url}/evil/-/package.tgz` };
  registry.publish(published('lured', { dependencies }));
  const { directory, cache } = createCache();
  const failed = await outcome(cache, 'lured');
  if (failed.state !== 'misconfigured') throw new Error(failed.state);
  expect(failed.message).toMatch(/^lured@1.0.0 could not be installed: Fetching non-root packages of type "remote"/);
  expect(elsewhere.requests).toEqual([]);
  expect(visible(directory)).toEqual([]);
});

test.each([
  ['an address', (url: string) => `${url}/evil/-/package.tgz`, /^http:\/\/127/],
  ['a link', () => 'file:../../..', /^a link$/],
])('an npm that fetches %s is not trusted with it', async (what, spec, from) => {
  const elsewhere = await startOther();
  const name = `old-${what.replaceAll(' ', '-')}`;
  registry.publish(published(name, { dependencies: { evil: spec(elsewhere.url) } }));
  useOlderNpm();
  const { directory, cache } = createCache();
  const failed = await outcome(cache, name);
  if (failed.state !== 'misconfigured') throw new Error(failed.state);
  const said = /its dependency (.*) is from elsewhere \((.*)\) than the registries that npm is set up with/;
  expect(said.exec(failed.message)?.[2]).toMatch(from);
  expect(visible(directory)).toEqual([]);
  expect(readdirSync(directory)).toEqual([`${name}%401.0.0@lock`]);
});

test('a scope may have a registry of its own', async () => {
  const own = await startOther();
  own.publish(published('@own/part', { files: { 'index.js': '' } }));
  registry.publish(published('mixed', { dependencies: { '@own/part': '1.0.0' } }));
  writeFileSync(join(home, 'npmrc'), `@own:registry=${own.url}/\n`);
  onTestFinished(() => rmSync(join(home, 'npmrc')));
  const { cache } = createCache();
  expect(await outcome(cache, 'mixed')).toMatchObject({ state: 'ready', installation: { packages: 2 } });
});

/** A second registry, which npm is not told of. */
async function startOther(): Promise<Registry> {
  const other = await startRegistry();
  onTestFinished(() => other.close());
  other.publish(published('evil'));
  return other;
}

test("npm's sentence is told, and the same one at each try", () => {
  const unresolved = `npm error code ENOTFOUND
npm error syscall getaddrinfo
npm error errno ENOTFOUND
npm error network request to http://a.invalid/foo failed, reason: getaddrinfo ENOTFOUND a.invalid
npm error network This is a problem related to network connectivity.
`;
  expect(reasonOf(unresolved, '/d', [])).toMatch(
    /^network request to http:\/\/a.invalid\/foo failed, reason: getaddrinfo ENOTFOUND a.invalid /,
  );
  expect(reasonOf('npm error code ETARGET\nnpm error notarget No matching version found for a@9.\n', '/d', [])).toBe(
    'No matching version found for a@9.',
  );
  expect(reasonOf('npm error code EWHATEVER\n', '/d', [])).toBe('code EWHATEVER');
  const failing = (address: string, local: string, ms: number): string =>
    `npm error FetchError: request to http://10.0.0.1:4873/a failed, reason: connect ETIMEDOUT ${address}${local}
npm error     at ClientRequest.<anonymous> (/npm/index.js:130:14) {
npm error   code: 'ETIMEDOUT',
npm error   port: ${ms},
npm error }
npm error tried for ${ms}ms
`;
  const tries = [
    failing('104.16.1.34:443', ' - Local (10.0.0.2:50001)', 1),
    failing('104.16.7.34:443', '', 22),
    failing('2606:4700::6810:122:443', ' - Local (:::0)', 333),
  ].map(words => reasonOf(words, '/d', []));
  expect(new Set(tries)).toEqual(
    new Set(['FetchError: request to http://10.0.0.1:4873/a failed, reason: connect ETIMEDOUT tried for some ms']),
  );
});

test('what to give in place of a package without a program is said of the field that the type has', () => {
  const message = 'x has no program';
  const packages: PackageCache = {
    resolve: () => ({ state: 'misconfigured', message, installed: true }),
    sweep: async () => {},
    close: async () => {},
  };
  const options = { workRoot: createDirectory(), packages };
  const config = { package: 'x', version: '1.0.0' };
  const instance = { uid: 'u', type: 'stdio', config, type_manifest: null, type_program: null };
  expect(resolveProgram(instance, options)).toEqual({
    state: 'misconfigured',
    message: 'x has no program; give spec.config.command instead',
  });
  const manifest = JSON.stringify(typeManifest.parse({ title: 't', ...config }));
  expect(
    resolveProgram({ ...instance, type: 'mine', type_manifest: manifest, type_program: 'x', config: {} }, options),
  ).toEqual({
    state: 'misconfigured',
    message: 'x has no program; give command in the manifest of type "mine" instead',
  });
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
  ['no-program', { bin: {} }, /^no-program has no program$/],
  ['two-programs', { bin: { a: 'a.js', b: 'b.js' } }, /has 2 programs \(a, b\)/],
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
