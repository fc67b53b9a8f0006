import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Instance } from '../../specs/instance.ts';
import { baseEnvironment } from '../../controllers/environment.ts';
import { markedProcesses } from '../../controllers/runtime/process-table.ts';
import { readInstallation } from '../../src/db/heartbeats.ts';
import { createTestDatabase } from './database.ts';
import type { TestDatabase } from './database.ts';
import { startObserver } from './observer.ts';
import type { Observer } from './observer.ts';
import { freePorts } from './ports.ts';
import { until } from './until.ts';

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- whatever the API answered; tests assert its shape
  readonly body: any;
}

export interface ControllersSettings {
  readonly only?: readonly string[];
  readonly limits?: Record<string, number>;
  readonly timing?: Record<string, number>;
  readonly resyncMs?: number;
  readonly env?: Record<string, string>;
}

/** A whole MiniMCP of a test's own: database, data directory, ports, API and controllers as real processes. */
export interface Installation {
  readonly database: TestDatabase;
  readonly dataDir: string;
  readonly env: NodeJS.ProcessEnv;
  readonly url: string;
  readonly ports: { readonly from: number; readonly to: number };
  readonly observer: Observer;
  api(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>;
  get(name: string): Promise<Instance>;
  phase(name: string, phase: string, withinMs?: number): Promise<Instance>;
  startApi(): Promise<void>;
  startControllers(settings?: ControllersSettings): Promise<ChildProcess>;
  /** kill -9 to every controllers process that is left. */
  stopControllers(): Promise<void>;
  log(): string;
  /** Ends everything it started and proves that nothing is left. */
  close(): Promise<void>;
}

export interface InstallationOptions {
  readonly env?: Record<string, string>;
  /** Unset = a database of its own on the server that all tests share. */
  readonly database?: TestDatabase;
}

export async function createInstallation(options: InstallationOptions = {}): Promise<Installation> {
  const database = options.database ?? (await createTestDatabase());
  const dataDir = mkdtempSync(join(tmpdir(), 'minimcp-test-'));
  const ports = await freePorts();
  const node = `test-${randomBytes(4).toString('hex')}`;
  const env: NodeJS.ProcessEnv = {
    ...baseEnvironment(),
    HOME: dataDir,
    MINIMCP_DATA_DIR: dataDir,
    DATABASE_URL: database.url,
    MINIMCP_API_PORT: String(ports.api),
    MINIMCP_PORT_RANGE: `${ports.from}-${ports.to}`,
    MINIMCP_NODE: node,
    MINIMCP_LOG_LEVEL: 'info',
    ...options.env,
  };
  const owner = `${await readInstallation(database.pool)}/${node}`;
  const observer = startObserver(owner);
  const url = `http://127.0.0.1:${ports.api}`;
  const logFile = join(dataDir, 'test.log');
  const children: ChildProcess[] = [];
  const controllers: ChildProcess[] = [];
  let token: string | undefined;

  function start(program: string, args: readonly string[], more: Record<string, string>): ChildProcess {
    const log = openSync(logFile, 'a');
    mkdirSync(dataDir, { recursive: true });
    const child = spawn(process.execPath, [resolve(program), ...args], {
      env: { ...env, ...more },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    children.push(child);
    return child;
  }

  const installation: Installation = {
    database,
    dataDir,
    env,
    url,
    ports,
    observer,
    log: () => readFileSync(logFile, 'utf8'),
    async api(method, path, body, headers = {}) {
      token ??= readFileSync(join(dataDir, 'admin.token'), 'utf8').trim();
      const reply = await fetch(`${url}/api/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await reply.text();
      return { status: reply.status, headers: reply.headers, body: text === '' ? null : JSON.parse(text) };
    },
    async get(name) {
      const reply = await installation.api('GET', `/mcps/${name}`);
      if (reply.status !== 200) throw new Error(`GET ${name}: ${reply.status} ${JSON.stringify(reply.body)}`);
      return reply.body as Instance;
    },
    phase: (name, phase, withinMs) =>
      until(
        `${name} ${phase}`,
        async () => {
          const instance = await installation.get(name);
          if (instance.status.phase === phase) return instance;
          throw new Error(JSON.stringify(instance.status));
        },
        withinMs,
      ),
    async startApi() {
      start('src/main.ts', ['api'], {});
      await until('the API answers', async () => (await fetch(`${url}/livez`)).ok);
    },
    async startControllers({ env: more = {}, ...settings } = {}) {
      const child = start('test/support/controllers-main.ts', [], {
        ...more,
        TEST_CONTROLLERS: JSON.stringify(settings),
      });
      controllers.push(child);
      return child;
    },
    async stopControllers() {
      for (const child of controllers) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await until('the controllers are gone', () =>
        controllers.every(child => child.exitCode !== null || child.signalCode !== null),
      );
    },
    async close() {
      for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      observer.close();
      for (const process of marked(owner)) kill(process.pid);
      await until('no host is left', () => marked(owner).length === 0);
      await database.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
  return installation;
}

function marked(owner: string): { pid: number }[] {
  return markedProcesses().filter(process => process.owner === owner);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Ended by itself.
  }
}
