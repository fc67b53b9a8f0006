import { chmod, mkdir, mkdtemp, readFile, readdir, rename, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { MiniMcpError } from '../src/errors.ts';
import { takeLock } from '../src/postgres/flock.ts';
import { inspect, readManifest, writeManifest } from './packages-manifest.ts';
import type { Manifest, PackagePlace } from './packages-manifest.ts';
import { npmTimeoutMs, runNpm } from './packages-npm.ts';
import { digestTree, listTree, removeTree, sealTree, stampOf } from './packages-tree.ts';

const abandonedMs = 2 * npmTimeoutMs;
/** How long a damaged installation stays for whoever wants to look at it. */
const damagedMs = 24 * 3_600_000;

/** `busy`: another controller installs it at this moment. */
export type Outcome = { readonly kind: 'busy' } | { readonly kind: 'installed'; readonly manifest: Manifest };

/**
 * Installs a package where no sound installation is. Everything happens in a temporary directory beside it; the
 * record is written first and a rename publishes, so that a crash at any moment leaves nothing that looks
 * installed. Of all controllers that share the directory one installs, the others are told `busy`.
 * Throws a sentence when it cannot be installed.
 */
export async function installPackage(place: PackagePlace, closing: AbortSignal): Promise<Outcome> {
  await mkdir(place.directory, { recursive: true, mode: 0o700 });
  const lock = await lockPlace(place);
  if (lock === 'busy') return { kind: 'busy' };
  try {
    const found = await inspect(place);
    // Another controller was faster.
    if (found.state === 'sound') return { kind: 'installed', manifest: found.manifest };
    await removeOld(place.directory, '.installing-', abandonedMs);
    await removeOld(place.directory, '.manifest-', abandonedMs);
    await removeOld(place.directory, '.damaged-', damagedMs);
    return { kind: 'installed', manifest: await installAnew(place, closing) };
  } finally {
    lock.release();
  }
}

/** Where there is no flock(1), two controllers may both install: the rename makes one of it. */
async function lockPlace({ lockFile }: PackagePlace): Promise<{ release(): void } | 'busy'> {
  try {
    return (await takeLock(lockFile)) ?? 'busy';
  } catch (error) {
    if (error instanceof MiniMcpError && error.code === 'PostgresToolMissing') return { release: () => {} };
    throw error;
  }
}

/** What a rename says where there is something already. */
const taken = new Set(['ENOTEMPTY', 'EEXIST']);

async function installAnew(place: PackagePlace, closing: AbortSignal): Promise<Manifest> {
  const startedMs = performance.now();
  const temporary = await mkdtemp(join(place.directory, '.installing-'));
  try {
    await writeFile(join(temporary, 'package.json'), '{"private":true}');
    await runNpm(temporary, `${place.name}@${place.version}`, closing);
    const { integrity, integrities, packages } = await readLock(temporary, place);
    refuseOtherBytes(place, await readManifest(place.manifestFile), integrities);
    await sealTree(temporary);
    const entries = await listTree(temporary);
    const bytes = Number(entries.reduce((sum, { kind, size }) => sum + (kind === 'file' ? size : 0n), 0n));
    const manifest: Manifest = {
      package: place.name,
      version: place.version,
      integrity,
      integrities,
      packages,
      files: entries.length,
      bytes,
      ms: Math.round(performance.now() - startedMs),
      digest: await digestTree(temporary, entries),
      stamp: stampOf(entries),
    };
    await writeManifest(place.manifestFile, manifest);
    await setAside(place);
    await rename(temporary, place.target);
    return manifest;
  } catch (error) {
    // What cannot be removed now is when it is old.
    await removeTree(temporary).catch(() => {});
    const faster = taken.has((error as NodeJS.ErrnoException).code ?? '') ? await inspect(place) : null;
    if (faster?.state === 'sound') return faster.manifest;
    throw error;
  }
}

/** npm's own list of what it has put into node_modules. */
const hiddenLock = z.object({
  packages: z.record(
    z.string(),
    z.object({ name: z.string().optional(), version: z.string().optional(), integrity: z.string().optional() }),
  ),
});

async function readLock(
  directory: string,
  { name, version }: PackagePlace,
): Promise<Pick<Manifest, 'integrity' | 'integrities' | 'packages'>> {
  const text = await readFile(join(directory, 'node_modules', '.package-lock.json'), 'utf8');
  const { packages } = hiddenLock.parse(JSON.parse(text));
  const own = packages[`node_modules/${name}`];
  if (own?.version !== version) throw new Error(`npm installed ${own?.version ?? 'nothing'} in place of ${version}`);
  const integrities: Record<string, string> = {};
  for (const [path, entry] of Object.entries(packages)) {
    // What came bundled within another package has none of its own.
    const entryName = entry.name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    if (entry.integrity !== undefined) integrities[`${entryName}@${entry.version}`] = entry.integrity;
  }
  return { integrity: own.integrity ?? null, integrities, packages: Object.keys(packages).length };
}

/** A version's content never changes; where it does, somebody has taken the package or the registry over. */
function refuseOtherBytes(place: PackagePlace, before: Manifest | null, now: Record<string, string>): void {
  for (const [key, integrity] of Object.entries(before?.integrities ?? {})) {
    const other = now[key];
    if (other === undefined || other === integrity) continue;
    const own = key === `${place.name}@${place.version}`;
    throw new MiniMcpError(
      'PackageChanged',
      `the registry serves ${own ? 'it' : `its dependency ${key}`} with other content than before ` +
        `(${integrity} was recorded, now it is ${other}), so it is not run; use another version, or, ` +
        `if you trust the new content, remove packages/${basename(place.manifestFile)} from the data directory`,
    );
  }
}

/** Makes room for a new installation; the old one is kept for a while. */
async function setAside({ directory, target }: PackagePlace): Promise<void> {
  try {
    // A directory that may not be written cannot be given another parent.
    await chmod(target, 0o700);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  await rename(target, join(await mkdtemp(join(directory, '.damaged-')), basename(target)));
}

/** Removes what kept its name for so long: left by a kill -9, or set aside. */
async function removeOld(directory: string, prefix: string, olderThanMs: number): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.startsWith(prefix)) continue;
    const path = join(directory, name);
    try {
      if (Date.now() - (await stat(path)).mtimeMs > olderThanMs) await removeTree(path);
    } catch {
      // Gone meanwhile, or not ours to remove.
    }
  }
}
