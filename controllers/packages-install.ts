import { mkdir, mkdtemp, rename, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { MiniMcpError } from '../src/errors.ts';
import { takeLock } from '../src/postgres/flock.ts';
import { readLock } from './packages-lock.ts';
import type { LockedTree } from './packages-lock.ts';
import { inspect, readManifest, writeManifest } from './packages-manifest.ts';
import type { Manifest, PackagePlace } from './packages-manifest.ts';
import { runNpm } from './packages-npm.ts';
import { makeTemporary, removeUnfinished } from './packages-sweep.ts';
import { listTree, readContents, removeTree, sealTree, stampOf } from './packages-tree.ts';

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
  const lock = await takeLock(place.lockFile);
  if (lock === undefined) return { kind: 'busy' };
  try {
    const found = await inspect(place);
    // Another controller was faster.
    if (found.state === 'sound') return { kind: 'installed', manifest: found.manifest };
    // What cannot be removed now is at the next sweep.
    await removeUnfinished(place.directory, place.stem).catch(() => {});
    return { kind: 'installed', manifest: await installAnew(place, found.state, closing) };
  } finally {
    lock.release();
  }
}

async function installAnew(place: PackagePlace, before: 'absent' | 'damaged', closing: AbortSignal): Promise<Manifest> {
  const startedMs = performance.now();
  const temporary = await makeTemporary(place);
  try {
    await writeFile(join(temporary, 'package.json'), '{"private":true}');
    await runNpm(temporary, `${place.name}@${place.version}`, closing);
    const tree = await readLock(temporary, place);
    const { integrity, integrities, packages } = tree;
    refuseOtherBytes(place, await readManifest(place.manifestFile), tree);
    await sealTree(temporary);
    const entries = await listTree(temporary);
    const bytes = Number(entries.reduce((sum, { kind, size }) => sum + (kind === 'file' ? size : 0n), 0n));
    const manifest: Manifest = {
      package: place.name,
      version: place.version,
      integrity,
      integrities,
      packages,
      bytes,
      ms: Math.round(performance.now() - startedMs),
      contents: Object.fromEntries(await readContents(temporary, entries)),
      stamp: stampOf(entries),
    };
    await writeManifest(place.manifestFile, manifest);
    if (before === 'damaged') await setAside(place);
    await rename(temporary, place.target);
    return manifest;
  } catch (error) {
    await removeTree(temporary).catch(() => {});
    throw error;
  }
}

/** A version's content never changes; where it does, somebody has taken the package or the registry over. */
function refuseOtherBytes(place: PackagePlace, before: Manifest | null, now: LockedTree): void {
  for (const [key, integrity] of Object.entries(before?.integrities ?? {})) {
    // A hash that is left out proves nothing either.
    const other = now.integrities[key] ?? (now.unproven.includes(key) ? 'none' : undefined);
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
  await rename(target, join(await mkdtemp(join(directory, '.damaged-')), basename(target)));
}
