import { randomBytes } from 'node:crypto';
import {
  appendFile,
  chown,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
  writeFile,
} from 'node:fs/promises';
import { basename, join } from 'node:path';
import { errorMessage, MiniMcpError } from '../errors.ts';
import type { Binaries } from './binaries.ts';
import { runCommand, type Account, type Command } from './command.ts';
import { errorCode } from './errno.ts';
import { unfinishedMark, type Layout } from './layout.ts';
import { hostBasedAccess, includeLine } from './settings.ts';

/** Database and user have the same name. */
export const databaseName = 'minimcp';

/**
 * The owner of the cluster, or undefined when there is none yet.
 * Throws `PostgresWrongMajor` when the data directory holds another version's database and
 * `PostgresDataDirUnusable` when something else is in the cluster's place.
 */
export async function findCluster(layout: Layout): Promise<{ uid: number; gid: number } | undefined> {
  const major = basename(layout.cluster);
  const version = await versionOf(layout.cluster);
  if (version === major) return stat(layout.cluster);
  if (version !== undefined) throw wrongMajor(layout.cluster, version, major);
  // An empty directory holds nothing that could be lost; rmdir refuses any other.
  await rmdir(layout.cluster).catch(error => {
    if (errorCode(error) !== 'ENOENT') throw notACluster(layout.cluster, error);
  });
  for (const name of await readdir(layout.root)) {
    const other = /^\d+$/.test(name) ? await versionOf(join(layout.root, name)) : undefined;
    if (other !== undefined) throw wrongMajor(join(layout.root, name), other, major);
  }
  return undefined;
}

/** Removes what starts that were killed left half done. Call it under the start lock. */
export async function removeUnfinished(layout: Layout): Promise<void> {
  for (const name of await readdir(layout.root)) {
    if (name.includes(unfinishedMark)) await rm(join(layout.root, name), { recursive: true, force: true });
  }
}

export interface ClusterRequest {
  readonly layout: Layout;
  readonly account: Account;
  readonly binaries: Binaries;
  readonly password: string;
  /** Descriptor of the start lock: the next start waits for programs that outlive this process. */
  readonly lockFd: number;
  /** False gives up safety from power failure; for tests. */
  readonly durable: boolean;
}

/**
 * Makes the cluster, with user and database, beside its final place and renames it there when it is
 * complete and on disk: whenever this is killed, there is either no cluster or a whole one.
 * Throws `PostgresInitFailed`.
 */
export async function createCluster(request: ClusterRequest): Promise<void> {
  const { layout, account, binaries } = request;
  const unfinished = `${layout.cluster}${unfinishedMark}${randomBytes(4).toString('hex')}`;
  const run = (program: string, args: string[], input?: string) =>
    runOrThrow({ account, program, args, inheritedFd: request.lockFd, ...(input === undefined ? {} : { input }) });
  await mkdir(unfinished, { mode: 0o700 });
  try {
    if (account.kind === 'user') await chown(unfinished, account.uid, account.gid);
    await run(binaries.initdb, ['-D', unfinished, ...initdbOptions]);
    await appendFile(join(unfinished, 'postgresql.conf'), includeLine);
    await writeFile(join(unfinished, 'pg_hba.conf'), hostBasedAccess);
    await run(binaries.postgres, ['--single', '-D', unfinished, ...singleUserOptions, 'postgres'], statements(request));
    if (request.durable) await run(binaries.initdb, ['-D', unfinished, '--sync-only']);
    await rename(unfinished, layout.cluster);
    if (request.durable) await syncDirectory(layout.root);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw error;
  }
}

const initdbOptions = [
  '--username=postgres',
  '--auth-local=reject',
  '--auth-host=reject',
  // The builtin locale is the same on every machine; one of the system may be missing or change its order.
  '--encoding=UTF8',
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8',
  '--no-locale',
  '--data-checksums',
  // As in our settings: the programs that make the cluster shall leave nothing outside it either.
  '--set=dynamic_shared_memory_type=mmap',
  '--no-sync',
  '--no-instructions',
];

const singleUserOptions = ['-F', '-c', 'log_min_error_statement=panic', '-c', 'log_checkpoints=off'];

/** Our user is no superuser: what it may not do here, it could not do on a managed server either. */
function statements(request: ClusterRequest): string {
  return [
    `create role ${databaseName} login createdb createrole password '${request.password}'`,
    `create database ${databaseName} owner ${databaseName}`,
    '',
  ].join('\n');
}

async function runOrThrow(command: Command): Promise<void> {
  const { exitCode, output } = await runCommand(command);
  // A single-user server reports errors and still exits with 0.
  if (exitCode === 0 && !/\b(?:ERROR|FATAL|PANIC): /.test(output)) return;
  const name = basename(command.program);
  throw new MiniMcpError(
    'PostgresInitFailed',
    `${name} could not make the embedded database: ${output.slice(-500) || 'killed'}`,
    {
      hint: 'Nothing was left behind; the next start tries again. Or set DATABASE_URL to a PostgreSQL server.',
    },
  );
}

async function versionOf(directory: string): Promise<string | undefined> {
  const text = await readFile(join(directory, 'PG_VERSION'), 'utf8').catch(error => {
    if (['ENOENT', 'ENOTDIR'].includes(errorCode(error))) return undefined;
    throw notACluster(directory, error);
  });
  return text?.trim();
}

/** A rename is on disk when its directory is. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function wrongMajor(directory: string, found: string, wanted: string): MiniMcpError {
  const message = `${directory} holds a PostgreSQL ${found} database; this MiniMCP runs PostgreSQL ${wanted}.`;
  return new MiniMcpError('PostgresWrongMajor', message, {
    hint:
      `Go back to the MiniMCP version that made it; or move ${directory} away and start with an empty database; ` +
      'or set DATABASE_URL.',
  });
}

function notACluster(directory: string, cause: unknown): MiniMcpError {
  return new MiniMcpError('PostgresDataDirUnusable', `${directory} is no database directory: ${errorMessage(cause)}`, {
    hint: 'Move it away, or choose another MINIMCP_DATA_DIR.',
    cause,
  });
}
