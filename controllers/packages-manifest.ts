import { createHash, randomBytes } from 'node:crypto';
import { lstat, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { isDenied, listTree, openTree, readContents, removeTree, sealTree, stampOf } from './packages-tree.ts';

/** What an installation came to, as its event tells it. */
export interface Installation {
  readonly package: string;
  readonly version: string;
  /** As the registry gives it, mostly SHA-512; null where it gives none. */
  readonly integrity: string | null;
  /** The package itself and its dependencies. */
  readonly packages: number;
  readonly bytes: number;
  readonly ms: number;
}

/**
 * The record of an installation, a file beside its directory. It outlives the directory: another installation
 * of the same version is held against it.
 */
const manifest = z.object({
  package: z.string(),
  version: z.string(),
  integrity: z.string().nullable(),
  /** Of every package in the tree, by name@version. */
  integrities: z.record(z.string(), z.string()),
  packages: z.int(),
  bytes: z.int(),
  ms: z.int(),
  contents: z.record(z.string(), z.string()).describe('What was installed, by path; see readContents'),
  stamp: z.string().describe('Over what the file system says of the files; changes with every copy'),
});
export type Manifest = z.infer<typeof manifest>;

/** Where a package is kept. */
export interface PackagePlace {
  readonly name: string;
  readonly version: string;
  /** The cache that it is part of. */
  readonly directory: string;
  /** How its files are named there. */
  readonly stem: string;
  readonly target: string;
  readonly manifestFile: string;
  readonly lockFile: string;
}

/** A file name may have 255 bytes. */
const longestStem = 200;

export function placeOf(directory: string, name: string, version: string): PackagePlace {
  const encoded = encodeURIComponent(`${name}@${version}`);
  const hash = (): string => createHash('sha256').update(encoded).digest('hex');
  const stem = encoded.length <= longestStem ? encoded : `${encoded.slice(0, longestStem - 65)}-${hash()}`;
  return {
    name,
    version,
    directory,
    stem,
    target: join(directory, stem),
    // No encoded name has an @, so these are nobody's installation.
    manifestFile: join(directory, `${stem}@manifest.json`),
    lockFile: lockFileOf(directory, stem),
  };
}

/** Whoever installs the package, or removes what an installation has left, holds this lock. */
export function lockFileOf(directory: string, stem: string): string {
  return join(directory, `${stem}@lock`);
}

export type Inspection =
  | {
      readonly state: 'sound';
      readonly manifest: Manifest;
      /** What was there beyond the record; it is removed. */
      readonly removed: readonly string[];
    }
  | { readonly state: 'absent' }
  | { readonly state: 'damaged'; readonly why: string };

/**
 * Whether the installation is there and still what was installed. Cheap where nobody touched it: the files are
 * not read. Where the stamp differs (a restored backup, or a hand in it) every byte is. What was added is taken
 * away, because Node could load it in place of what was installed; that alone damages nothing.
 * Throws where it cannot be read for the moment: that says nothing about it.
 */
export async function inspect(place: PackagePlace): Promise<Inspection> {
  try {
    return await look(place);
  } catch (error) {
    if (isDenied(error)) return { state: 'damaged', why: `it may not be read (${(error as Error).message})` };
    throw error;
  }
}

async function look(place: PackagePlace): Promise<Inspection> {
  const { target, manifestFile } = place;
  if (!(await isThere(target))) return { state: 'absent' };
  const recorded = await readManifest(manifestFile);
  if (recorded === null) return { state: 'damaged', why: 'there is no readable record of what was installed' };
  const entries = await listTree(target);
  if (stampOf(entries) === recorded.stamp) return { state: 'sound', manifest: recorded, removed: [] };
  const expected = new Map(Object.entries(recorded.contents));
  const removed = entries.map(({ path }) => path).filter(path => !expected.has(path));
  const actual = await readContents(
    target,
    entries.filter(({ path }) => expected.has(path)),
  );
  for (const [path, content] of expected) {
    const found = actual.get(path);
    if (found === undefined) return { state: 'damaged', why: `${path} is missing` };
    if (found !== content) return { state: 'damaged', why: `${path} is not what was installed` };
  }
  if (removed.length > 0) await openTree(target);
  for (const path of removed) await removeTree(join(target, path));
  await sealTree(target);
  const renewed = { ...recorded, stamp: stampOf(await listTree(target)) };
  await writeManifest(manifestFile, renewed);
  return { state: 'sound', manifest: renewed, removed };
}

/** null when there is none, or none that can be understood. */
export async function readManifest(file: string): Promise<Manifest | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    return manifest.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Whole or not at all, whenever the power fails. */
export async function writeManifest(file: string, value: Manifest): Promise<void> {
  const temporary = join(dirname(file), `.manifest-${randomBytes(6).toString('hex')}`);
  await writeFile(temporary, `${JSON.stringify(value, null, 1)}\n`, { mode: 0o600, flush: true });
  await rename(temporary, file);
}

export function installationOf(value: Manifest): Installation {
  const { package: name, version, integrity, packages, bytes, ms } = value;
  return { package: name, version, integrity, packages, bytes, ms };
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
