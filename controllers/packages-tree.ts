import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, lstat, readdir, readlink, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** One thing below a directory. */
export interface TreeEntry {
  /** Relative. */
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'link' | 'other';
  readonly mode: number;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

/** How many files are looked at side by side: a big tree must not keep the controllers' other files waiting. */
const parallel = 8;

/** Everything below `root`, in one order everywhere. */
export async function listTree(root: string): Promise<TreeEntry[]> {
  const found = await readdir(root, { recursive: true, withFileTypes: true });
  const entries: TreeEntry[] = [];
  await forEach(found, async entry => {
    const file = join(entry.parentPath, entry.name);
    const { mode, size, mtimeNs, ctimeNs } = await lstat(file, { bigint: true });
    const kind = entry.isFile()
      ? 'file'
      : entry.isDirectory()
        ? 'directory'
        : entry.isSymbolicLink()
          ? 'link'
          : 'other';
    entries.push({ path: relative(root, file), kind, mode: Number(mode) & 0o7777, size, mtimeNs, ctimeNs });
  });
  return entries.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * What the file system says of the files, in one hash, without reading them. The kernel sets ctime at every
 * change and nobody can set it back, so an equal stamp means: nothing was changed through the file system.
 */
export function stampOf(entries: readonly TreeEntry[]): string {
  const hash = createHash('sha256');
  for (const { path, kind, size, mtimeNs, ctimeNs } of entries) {
    hash.update(kind === 'directory' ? `${path}\0${kind}\n` : `${path}\0${kind}\0${size}\0${mtimeNs}\0${ctimeNs}\n`);
  }
  return hash.digest('hex');
}

/**
 * What everything is, by its path and equal in every copy of the tree: `file <SHA-256>`, `link <target>`,
 * `directory` or `other`.
 */
export async function readContents(root: string, entries: readonly TreeEntry[]): Promise<Map<string, string>> {
  const contents = new Map<string, string>();
  await forEach(entries, async ({ path, kind }) => {
    const file = join(root, path);
    const content = kind === 'file' ? await digestFile(file) : kind === 'link' ? await readlink(file) : '';
    contents.set(path, content === '' ? kind : `${kind} ${content}`);
  });
  return contents;
}

/**
 * Takes the right to write from everyone, below the root: what a server keeps beside its code, all instances of the
 * package would share. The root itself can still be renamed by its owner.
 */
export async function sealTree(root: string): Promise<void> {
  const entries = await listTree(root);
  await forEach(entries, async ({ path, kind, mode }) => {
    if (kind !== 'file' && kind !== 'directory') return;
    const sealed = mode & ~0o222;
    if (sealed !== mode) await chmod(join(root, path), sealed);
  });
  await chmod(root, 0o700);
}

/** What is not there is fine, and so is somebody who still writes into it for a moment. */
export async function removeTree(root: string): Promise<void> {
  const remove = () => rm(root, { recursive: true, force: true, maxRetries: 5 });
  try {
    await remove();
  } catch (error) {
    if (!isDenied(error)) throw error;
    await openTree(root);
    await remove();
  }
}

/** Gives its owner every directory back, down to those that could not even be listed. */
export async function openTree(directory: string): Promise<void> {
  if (!(await lstat(directory)).isDirectory()) return;
  await chmod(directory, 0o700);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) await openTree(join(directory, entry.name));
  }
}

/** The modes or the owner forbid it: trying again would come to the same. */
export function isDenied(error: unknown): boolean {
  return ['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '');
}

async function digestFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function forEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) await work(items[next++]!);
  };
  await Promise.all(Array.from({ length: parallel }, worker));
}
