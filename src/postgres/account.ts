import { chmod, lchown, readdir, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { MiniMcpError } from '../errors.ts';
import { runCommand, type Account } from './command.ts';
import type { Layout } from './layout.ts';

/** The user `nobody`, by number, as every Linux distribution has it. */
const nobody = { kind: 'user', uid: 65_534, gid: 65_534 } as const;

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Decides whom the server runs as; PostgreSQL refuses root, and initdb a user without an entry in the
 * user database. `clusterOwner` is the owner of an existing cluster. `userNamespaces: false` does as if
 * this machine forbade them.
 * Throws `PostgresAccountUnavailable`, or `PostgresDataDirUnusable` when the account cannot reach the files.
 */
export async function chooseAccount(
  layout: Layout,
  clusterOwner: Owner | undefined,
  userNamespaces: boolean,
): Promise<Account> {
  const uid = process.geteuid?.() ?? 0;
  if (uid !== 0) return ownAccount(layout, uid, clusterOwner, userNamespaces);
  if (clusterOwner && clusterOwner.uid !== 0) {
    // Also a later start: someone may have closed the way in between.
    await openPath(layout, clusterOwner.gid);
    return reaching(layout, { kind: 'user', ...clusterOwner });
  }
  if (userNamespaces && (await reaches(layout, { kind: 'namespace' }))) return { kind: 'namespace' };
  await openPath(layout, nobody.gid);
  await reaching(layout, nobody);
  // The cluster came from a machine with user namespaces, where root's own files could be used.
  if (clusterOwner) await giveTo(nobody, layout.cluster);
  return nobody;
}

/** Makes the account the owner of a file, or of a directory and all in it. */
export async function giveTo(account: Account, path: string): Promise<void> {
  if (account.kind !== 'user') return;
  const isDirectory = (await stat(path)).isDirectory();
  const names = isDirectory ? await readdir(path, { recursive: true }) : [];
  for (const name of names) await lchown(join(path, name), account.uid, account.gid);
  // Last, because the directory's owner says whether this was completed.
  await lchown(path, account.uid, account.gid);
}

async function ownAccount(layout: Layout, uid: number, owner: Owner | undefined, userNamespaces: boolean) {
  const self: Account = { kind: 'self' };
  if (owner && owner.uid !== uid) {
    throw new MiniMcpError('PostgresDataDirUnusable', `${layout.cluster} belongs to user ${owner.uid}, not ${uid}.`, {
      hint: 'Run MiniMCP as that user, or choose another MINIMCP_DATA_DIR.',
    });
  }
  // Only initdb asks for the user's name.
  if (owner || hasName()) return self;
  if (userNamespaces && (await reaches(layout, { kind: 'namespace' }))) return { kind: 'namespace' } satisfies Account;
  throw new MiniMcpError('PostgresAccountUnavailable', `User ${uid} has no name, and PostgreSQL insists on one.`, {
    hint: `Add user ${uid} to /etc/passwd, allow user namespaces, or set DATABASE_URL to a PostgreSQL server.`,
  });
}

function hasName(): boolean {
  try {
    return userInfo().username !== '';
  } catch {
    return false;
  }
}

async function reaches(layout: Layout, account: Account): Promise<boolean> {
  return (await runCommand({ account, program: 'test', args: ['-x', layout.root] })).exitCode === 0;
}

async function reaching(layout: Layout, account: Account & { kind: 'user' }): Promise<Account> {
  if (await reaches(layout, account)) return account;
  throw new MiniMcpError(
    'PostgresDataDirUnusable',
    `User ${account.uid}, who runs PostgreSQL because root may not, cannot reach ${layout.root}.`,
    {
      hint: 'Choose a MINIMCP_DATA_DIR below directories that everyone may enter, such as /var/lib/minimcp, run MiniMCP as another user, or set DATABASE_URL.',
    },
  );
}

/** Lets the server's group pass through our own directories: pass, not list; and others not at all. */
async function openPath(layout: Layout, gid: number): Promise<void> {
  for (const directory of [layout.dataDir, layout.root]) {
    const found = await stat(directory);
    if (found.uid !== 0 || (found.gid === gid && (found.mode & 0o777) === 0o710)) continue;
    await lchown(directory, 0, gid);
    await chmod(directory, 0o710);
  }
}
