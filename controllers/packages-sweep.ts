import { mkdtemp, readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { takeLock } from '../src/postgres/flock.ts';
import { lockFileOf } from './packages-manifest.ts';
import type { PackagePlace } from './packages-manifest.ts';
import { installMarker } from './packages-npm.ts';
import { removeTree } from './packages-tree.ts';
import { identityOf, signal } from './runtime/process-table.ts';

/** How long each kind of leftover that nobody has a lock on stays; a damaged one for whoever wants to look at it. */
const keptMs = { '.damaged-': 24 * 3_600_000, '.manifest-': 3_600_000 };

const unfinished = '.installing-';
const randomLength = '-XXXXXX'.length;

/** A directory to install the package in, beside its place. */
export function makeTemporary({ directory, stem }: PackagePlace): Promise<string> {
  return mkdtemp(join(directory, `${unfinished}${stem}-`));
}

/**
 * Removes what a kill -9 has left of the package's installations. The caller holds its lock, so no controller is
 * at it, and an npm that still is has outlived its own: it is ended.
 */
export async function removeUnfinished(directory: string, stem: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (stemOf(name) !== stem) continue;
    const path = join(directory, name);
    await endInstaller(path);
    await removeTree(path);
  }
}

/** Removes whatever in the cache was left behind and nobody works on. */
export async function sweepCache(directory: string): Promise<void> {
  const names = await namesIn(directory);
  for (const stem of new Set(names.map(stemOf))) {
    if (stem === null) continue;
    const lock = await takeLock(lockFileOf(directory, stem));
    if (lock === undefined) continue;
    try {
      await removeUnfinished(directory, stem);
    } finally {
      lock.release();
    }
  }
  for (const [prefix, ms] of Object.entries(keptMs)) {
    for (const name of names.filter(each => each.startsWith(prefix))) {
      const path = join(directory, name);
      if (Date.now() - (await changedMs(path)) > ms) await removeTree(path);
    }
  }
}

/** Of the package that the directory was made for; null for any other name. */
function stemOf(name: string): string | null {
  return name.startsWith(unfinished) ? name.slice(unfinished.length, -randomLength) : null;
}

/** Only its own npm has the directory's name in its environment. */
async function endInstaller(directory: string): Promise<void> {
  for (const pid of (await readdir('/proc')).map(Number).filter(Number.isInteger)) {
    const identity = identityOf(pid);
    if (identity === null) continue;
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
    if (environment.split('\0').includes(`${installMarker}=${directory}`)) signal(identity, 'SIGKILL');
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    // Nothing was ever installed here.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** What is gone meanwhile is as new as can be. */
async function changedMs(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Infinity;
    throw error;
  }
}
