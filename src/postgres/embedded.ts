import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { errorMessage, MiniMcpError } from '../errors.ts';
import { secureDataDirectory } from '../secrets/data-directory.ts';
import { chooseAccount } from './account.ts';
import { findPackage, provideBinaries, type PostgresPackage } from './binaries.ts';
import { createCluster, findCluster, removeUnfinished } from './cluster.ts';
import { connectionProblem, connectionUrl } from './connection.ts';
import { takeLock, type FileLock } from './flock.ts';
import { layoutOf, type Layout } from './layout.ts';
import { readLockFile, type RunningServer } from './lockfile.ts';
import { providePassword } from './password.ts';
import { isAlive } from './process.ts';
import { launchServer, removeLockFile, signalServer, startTimeoutMs, stopServer, type StopMode } from './server.ts';
import { writeSettings } from './settings.ts';
import { prepareSocketDirectory, removeSocketDirectory } from './socket.ts';

const longestPauseMs = 250;

export interface EmbeddedPostgres {
  /** libpq-style URL over the Unix socket, usable as `connectionString` of `pg`. Contains the password. */
  readonly connectionString: string;
  /** Process id of the server. */
  readonly pid: number;
  /** True when a running server of an earlier process was taken over. */
  readonly adopted: boolean;
  /**
   * Stops the server, whoever else uses it, and resolves when no process of it is left. Calling it again
   * is safe; `immediate` after `fast` hastens it. Throws `PostgresStopFailed`.
   */
  stop(mode?: StopMode): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** MiniMCP's data directory, made 0700 if missing. The server lives in `postgres/<major>` in it. */
  readonly dataDir: string;
  readonly log?: (message: string) => void;
  /** Server settings on top of ours; they do not change a server that is adopted. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Directory of the package with the binaries instead of the installed one. */
  readonly packageDir?: string;
  /** False: do as if this machine forbade user namespaces. */
  readonly userNamespaces?: boolean;
}

interface Start {
  readonly options: EmbeddedPostgresOptions;
  readonly pkg: PostgresPackage;
  readonly layout: Layout;
  readonly startLock: FileLock;
  readonly password: string;
  readonly log: (message: string) => void;
}

/**
 * Brings up the embedded PostgreSQL of a data directory and resolves when it answers: adopts a server that
 * runs there already, else starts one, making the database first if there is none. Any number of
 * processes may call it at once, and each may be killed at any moment: there is one server at most, and
 * nothing half done stands in the next start's way.
 *
 * Throws `MiniMcpError` with code `DataDirectoryUnsafe`, `PostgresUnsupportedPlatform`, `PostgresBinariesUnusable`,
 * `FlockMissing`, `LockFailed`, `PostgresAccountUnavailable`, `PostgresDataDirUnusable`, `PostgresWrongMajor`,
 * `PostgresPasswordMissing`, `PostgresSettingInvalid`, `PostgresInitFailed`, `PostgresStartFailed`,
 * `PostgresConnectFailed` or `PostgresBusy`.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const pkg = await findPackage(options.packageDir);
  const layout = layoutOf(resolve(options.dataDir), pkg.major);
  const startLock = await lockDirectory(layout);
  try {
    await removeUnfinished(layout);
    const clusterExists = (await findCluster(layout)) !== undefined;
    const password = await providePassword(layout.password, clusterExists);
    return await adoptOrStart({ options, pkg, layout, startLock, password, log: options.log ?? (() => {}) });
  } finally {
    startLock.release();
  }
}

async function lockDirectory(layout: Layout): Promise<FileLock> {
  try {
    await secureDataDirectory(layout.dataDir);
    await mkdir(layout.root, { recursive: true, mode: 0o700 });
    const lock = await takeLock(layout.startLock, startTimeoutMs);
    if (lock) return lock;
  } catch (error) {
    if (error instanceof MiniMcpError) throw error;
    throw new MiniMcpError('PostgresDataDirUnusable', `${layout.root} cannot be used: ${errorMessage(error)}`, {
      hint: 'Choose a MINIMCP_DATA_DIR that this user may write to.',
      cause: error,
    });
  }
  throw busy(layout, 'another start does not come to an end');
}

async function adoptOrStart(start: Start): Promise<EmbeddedPostgres> {
  const { layout, password, log } = start;
  const endsAt = performance.now() + startTimeoutMs;
  for (let pauseMs = 10; ; pauseMs = Math.min(longestPauseMs, pauseMs * 1.5)) {
    const found = await readLockFile(layout.cluster);
    let problem = 'processes of its server are still there';
    if (found.kind === 'running') {
      const { server } = found;
      const open = server.ready && server.socketDir !== '';
      const refusal = open ? await connectionProblem(connectionUrl(server.socketDir, password)) : 'it is not ready';
      if (refusal === undefined) {
        log(`took over the running embedded database, process ${server.pid}`);
        return handle(start, server, true);
      }
      problem = `its server, process ${server.pid}, does not answer: ${refusal}`;
    } else {
      // Held: a server is coming up or going down, or runs in another container. Free: none of ours is alive.
      const serverLock = await takeLock(layout.serverLock);
      const server = serverLock && (await startServer(start, serverLock).finally(serverLock.release));
      if (server) return handle(start, server, false);
    }
    if (performance.now() > endsAt) throw busy(layout, problem);
    await delay(pauseMs);
  }
}

/** Undefined when a server has appeared that was not started by us and so holds no lock. */
async function startServer(start: Start, serverLock: FileLock): Promise<RunningServer | undefined> {
  const { layout, options, password, log } = start;
  const beganAt = performance.now();
  const left = await readLockFile(layout.cluster);
  if (left.kind === 'running') return undefined;
  const owner = await findCluster(layout);
  const account = await chooseAccount(layout, owner, options.userNamespaces ?? true);
  const binaries = await provideBinaries(start.pkg, layout, account);
  const settings = options.settings ?? {};
  if (!owner) {
    log(`making the embedded database in ${layout.cluster}`);
    const durable = settings.fsync !== 'off';
    await createCluster({ layout, account, binaries, password, lockFd: start.startLock.fd, durable });
  }
  if (left.kind === 'stale') {
    log(`removing the lock file of a dead server: ${left.reason}`);
    await removeLockFile(layout);
  }
  const socketDir = await prepareSocketDirectory(layout.cluster, account);
  let server: RunningServer | undefined;
  try {
    await writeSettings(layout, account, socketDir, settings);
    server = await launchServer({ layout, account, binaries, serverLock });
    await waitUntilServing(start, server);
    log(`started the embedded database, process ${server.pid}, in ${Math.round(performance.now() - beganAt)} ms`);
    return server;
  } catch (error) {
    if (server) await stopServer(server, layout, 'fast');
    await removeSocketDirectory(socketDir, layout.cluster);
    throw error;
  }
}

async function waitUntilServing({ layout, password }: Start, server: RunningServer): Promise<void> {
  const endsAt = performance.now() + startTimeoutMs;
  for (;;) {
    const problem = await connectionProblem(connectionUrl(server.socketDir, password));
    if (problem === undefined) return;
    if (performance.now() > endsAt || !(await isAlive(server))) throw busy(layout, problem);
    await delay(10);
  }
}

function handle({ layout, password }: Start, server: RunningServer, adopted: boolean): EmbeddedPostgres {
  let stopped: Promise<void> | undefined;
  const stop = async (mode: StopMode = 'fast') => {
    if (stopped && mode === 'immediate') await signalServer(server, mode);
    stopped ??= stopServer(server, layout, mode).then(() => tidy(layout, server));
    return stopped;
  };
  return { connectionString: connectionUrl(server.socketDir, password), pid: server.pid, adopted, stop };
}

/** Removes the socket's directory, unless someone has started or is starting a server again that uses it. */
async function tidy(layout: Layout, server: RunningServer): Promise<void> {
  const startLock = await takeLock(layout.startLock);
  if (!startLock) return;
  try {
    const found = await readLockFile(layout.cluster);
    if (found.kind !== 'running') await removeSocketDirectory(server.socketDir, layout.cluster);
  } finally {
    startLock.release();
  }
}

function busy(layout: Layout, problem: string): MiniMcpError {
  return new MiniMcpError('PostgresBusy', `The embedded database in ${layout.cluster} cannot be used: ${problem}.`, {
    hint: 'See who else uses this data directory, stop that, and start again.',
  });
}
