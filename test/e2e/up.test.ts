import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { Instance } from '../../specs/instance.ts';
import { baseEnvironment } from '../../controllers/environment.ts';
import { freePorts } from '../support/ports.ts';
import { echoSpec } from '../support/specs.ts';
import { until } from '../support/until.ts';

/** `minimcp up` as people use it: started, left with Ctrl-C, killed, started again. */
const isRoot = process.getuid?.() === 0;
// An ordinary user as the process itself sees it, with the files of the real one.
const asUser = ['unshare', '--user', '--map-user=1000', '--map-group=1000', '--'];
const hasNamespaces = spawnSync(asUser[0]!, [...asUser.slice(1), 'true']).status === 0;

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

interface Home {
  readonly dataDir: string;
  up(more?: Record<string, string>): ChildProcess;
  output(): string;
  ready(): Promise<void>;
  request(method: string, path: string, body?: unknown): Promise<Response>;
  instance(name: string): Promise<Instance>;
}

async function createHome(prefix: readonly string[]): Promise<Home> {
  const dataDir = join(mkdtempSync(join(tmpdir(), 'minimcp-up-')), 'data');
  const ports = await freePorts();
  const logFile = join(dataDir, '..', 'up.log');
  const env = {
    ...baseEnvironment(),
    HOME: dataDir,
    MINIMCP_DATA_DIR: dataDir,
    MINIMCP_API_PORT: String(ports.api),
    MINIMCP_PORT_RANGE: `${ports.from}-${ports.to}`,
    // Somebody's secret must not reach the server or a host.
    GITHUB_TOKEN: 'ghp_of_the_shell',
  };
  const base = `http://127.0.0.1:${ports.api}/api/v1`;
  const request: Home['request'] = (method, path, body) =>
    fetch(base + path, {
      method,
      headers: {
        authorization: `Bearer ${readFileSync(join(dataDir, 'admin.token'), 'utf8').trim()}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  cleanups.push(() => {
    for (const pid of naming(dataDir)) killGroup(pid);
    rmSync(join(dataDir, '..'), { recursive: true, force: true });
  });
  return {
    dataDir,
    up(more = {}) {
      const log = openSync(logFile, 'a');
      const [program, ...args] = [...prefix, process.execPath, 'src/main.ts', 'up'];
      const child = spawn(program, args, { env: { ...env, ...more }, stdio: ['ignore', log, log], detached: true });
      closeSync(log);
      return child;
    },
    output: () => readFileSync(logFile, 'utf8'),
    ready: async () => {
      await until('the API answers', async () => (await request('GET', '/mcps')).status === 200, 30_000);
    },
    request,
    instance: async name => (await (await request('GET', `/mcps/${name}`)).json()) as Instance,
  };
}

/** Those that name it, in words, for the message of a test that finds one. */
function leftovers(text: string): string[] {
  return naming(text).flatMap(pid => {
    try {
      return `${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')}`;
    } catch {
      return [];
    }
  });
}

/** Live processes whose command line or environment names a text. */
function naming(text: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter(pid => pid > 1 && pid !== process.pid)
    .filter(pid => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
        if (stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')) return false;
        return (
          readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(text) ||
          readFileSync(`/proc/${pid}/environ`, 'latin1').includes(text)
        );
      } catch {
        return false;
      }
    });
}

function killGroup(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise(resolve => child.once('exit', code => resolve(code)));
}

async function ready(home: Home, name: string): Promise<Instance> {
  return until(`${name} is Ready`, async () => {
    const instance = await home.instance(name);
    return instance.status.phase === 'Ready' && instance;
  });
}

const accounts = [
  { who: isRoot ? 'root' : 'the user', prefix: [] as string[], possible: true },
  { who: 'an ordinary user, when we are root', prefix: asUser, possible: isRoot && hasNamespaces },
].filter(account => account.possible);

describe.each(accounts)('up, as $who', ({ prefix }) => {
  test(
    'Ctrl-C ends everything it started; the next up brings it back; a kill -9 is survived',
    { timeout: 90_000 },
    async () => {
      const home = await createHome(prefix);
      const first = home.up();
      await home.ready();
      await until('the addresses are told', () => home.output().includes('/api/v1'));
      expect(home.output()).toContain(join(home.dataDir, 'admin.token'));
      expect(statSync(join(home.dataDir, 'admin.token')).mode & 0o777).toBe(0o600);
      expect(statSync(home.dataDir).mode & 0o007).toBe(0);
      expect((await home.request('POST', '/mcps', { metadata: { name: 'kept' }, spec: echoSpec() })).status).toBe(201);
      await ready(home, 'kept');
      for (const pid of naming(home.dataDir)) {
        if (pid === first.pid) continue;
        const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
        if (!environment.includes('MINIMCP_API_PORT')) expect(environment).not.toContain('ghp_of_the_shell');
      }

      // The terminal signals the whole foreground group.
      process.kill(-first.pid!, 'SIGINT');
      expect(await ended(first)).toBe(0);
      expect(leftovers(home.dataDir)).toEqual([]);

      const second = home.up();
      await home.ready();
      const restored = await ready(home, 'kept');

      process.kill(second.pid!, 'SIGKILL');
      // With unshare before it, the one that was killed is the parent alone.
      for (const pid of naming('src/main.ts')) if (naming(home.dataDir).includes(pid)) killGroup(pid);
      await ended(second);
      expect(naming(home.dataDir).length).toBeGreaterThan(0);

      const third = home.up();
      await home.ready();
      const adopted = await ready(home, 'kept');
      expect(adopted.status.pid).toBe(restored.status.pid);
      process.kill(-third.pid!, 'SIGINT');
      expect(await ended(third)).toBe(0);
      expect(leftovers(home.dataDir)).toEqual([]);
    },
  );
});

test(
  'a second up is refused and takes nothing from the first; a database that dies is started again',
  { timeout: 60_000 },
  async () => {
    const home = await createHome([]);
    const first = home.up();
    await home.ready();
    const second = home.up();
    expect(await ended(second)).toBe(1);
    expect(home.output()).toContain('is in use by another program');
    expect((await home.request('GET', '/mcps')).status).toBe(200);

    const postmaster = Number(
      readFileSync(join(home.dataDir, 'postgres', '18', 'postmaster.pid'), 'utf8').split('\n')[0],
    );
    process.kill(postmaster, 'SIGKILL');
    await until(
      'another server',
      async () => !naming(home.dataDir).includes(postmaster) && (await home.request('GET', '/mcps')).status === 200,
      30_000,
    );
    expect((await home.request('POST', '/mcps', { metadata: { name: 'after' }, spec: echoSpec() })).status).toBe(201);
    await ready(home, 'after');
    process.kill(-first.pid!, 'SIGINT');
    expect(await ended(first)).toBe(0);
    expect(leftovers(home.dataDir)).toEqual([]);
  },
);

test('Ctrl-C while the database is away ends everything all the same', { timeout: 60_000 }, async () => {
  const home = await createHome([]);
  const only = home.up();
  await home.ready();
  expect((await home.request('POST', '/mcps', { metadata: { name: 'cut' }, spec: echoSpec() })).status).toBe(201);
  await ready(home, 'cut');
  const postmaster = Number(
    readFileSync(join(home.dataDir, 'postgres', '18', 'postmaster.pid'), 'utf8').split('\n')[0],
  );
  process.kill(postmaster, 'SIGKILL');
  process.kill(-only.pid!, 'SIGINT');
  expect(await ended(only)).toBe(0);
  expect(leftovers(home.dataDir)).toEqual([]);
});

test('a data directory keeps its node when the host name changes', { timeout: 60_000 }, async () => {
  const home = await createHome([]);
  const first = home.up({ MINIMCP_NODE: 'old-name' });
  await home.ready();
  expect((await home.request('POST', '/mcps', { metadata: { name: 'moved' }, spec: echoSpec() })).status).toBe(201);
  expect((await ready(home, 'moved')).status.node).toBe('old-name');
  process.kill(-first.pid!, 'SIGINT');
  await ended(first);
  const second = home.up();
  await home.ready();
  expect((await ready(home, 'moved')).status.node).toBe('old-name');
  process.kill(-second.pid!, 'SIGINT');
  await ended(second);
});

test('what stops a start is said in a sentence, with what to do', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'minimcp-up-'));
  cleanups.push(() => rmSync(dataDir, { recursive: true, force: true }));
  const run = (env: Record<string, string>, ...args: string[]): { status: number | null; stderr: string } =>
    spawnSync(process.execPath, ['src/main.ts', ...args], {
      env: { ...baseEnvironment(), MINIMCP_DATA_DIR: dataDir, ...env },
      encoding: 'utf8',
    });
  expect(run({ MINIMCP_API_PORT: 'none' }, 'up')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('MINIMCP_API_PORT must be a port number'),
  });
  expect(run({ MINIMCP_PORT_RANGE: '40000-41000' }, 'up')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('ephemeral'),
  });
  expect(run({ MINIMCP_PORT_RANGE: '9-1' }, 'up')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('MINIMCP_PORT_RANGE'),
  });
  expect(run({ MINIMCP_LOG_LEVEL: 'loud' }, 'up')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('MINIMCP_LOG_LEVEL'),
  });
  expect(run({}, 'upp')).toMatchObject({ status: 2, stderr: expect.stringContaining('There is no command "upp"') });
  expect(run({}, 'controllers', '--only', 'nobody')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('expiry, scheduler'),
  });
  expect(run({ DATABASE_URL: 'postgresql://127.0.0.1:1/none' }, 'migrate')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('DATABASE_URL'),
  });
});
