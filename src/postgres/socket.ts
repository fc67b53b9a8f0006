import { createHash } from 'node:crypto';
import { chown, lstat, mkdir, mkdtemp, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Account } from './command.ts';
import { ignoring } from './errno.ts';

/** `sun_path` has 108 bytes, one of them for the final NUL. */
const longestPathBytes = 107;
const socketName = '.s.PGSQL.5432';
const prefix = 'minimcp-postgres-';

/**
 * The directory of the server's Unix socket: the cluster itself, or, where that path is too long for a
 * socket, a private one (0700) below the system's temporary directory. Call it only while no server of
 * this cluster runs: it removes what a dead one left, because PostgreSQL refuses to start when the pid
 * in an old socket lock belongs to any process of the same user.
 */
export async function prepareSocketDirectory(cluster: string, account: Account): Promise<string> {
  const directory = fits(cluster) ? cluster : await privateDirectory(cluster, account);
  await rm(join(directory, socketName), { force: true });
  await rm(join(directory, `${socketName}.lock`), { force: true });
  return directory;
}

/** Removes a directory made by `prepareSocketDirectory` once its server is gone. */
export async function removeSocketDirectory(directory: string, cluster: string): Promise<void> {
  if (directory === cluster || !basename(directory).startsWith(prefix)) return;
  await rm(join(directory, socketName), { force: true });
  await rm(join(directory, `${socketName}.lock`), { force: true });
  await rmdir(directory).catch(() => {});
}

function fits(directory: string): boolean {
  return Buffer.byteLength(join(directory, socketName)) <= longestPathBytes;
}

async function privateDirectory(cluster: string, account: Account): Promise<string> {
  // One name per cluster, so that a start after a crash finds its own directory instead of littering.
  const name = `${prefix}${createHash('sha256').update(cluster).digest('hex').slice(0, 12)}`;
  const parent = fits(join(tmpdir(), name)) ? tmpdir() : '/tmp';
  let directory = join(parent, name);
  await mkdir(directory, { mode: 0o700 }).catch(ignoring('EEXIST'));
  // Anyone may create names in a shared temporary directory: never trust one that is not ours.
  if (!(await isPrivate(directory, account))) directory = await mkdtemp(`${directory}-`);
  if (account.kind === 'user') await chown(directory, account.uid, account.gid);
  return directory;
}

async function isPrivate(directory: string, account: Account): Promise<boolean> {
  const found = await lstat(directory);
  const owners = [process.geteuid?.(), account.kind === 'user' ? account.uid : undefined];
  return found.isDirectory() && owners.includes(found.uid) && (found.mode & 0o077) === 0;
}
