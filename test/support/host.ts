import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { hostExit, hostHealth, hostIdentity } from '../../specs/assignment.ts';
import type {
  Assignment,
  HostExit,
  HostHealth,
  HostIdentity,
  HostInput,
  HostLease,
  HostOutput,
} from '../../specs/assignment.ts';
import { until } from './until.ts';

const root = resolve(import.meta.dirname, '../..');

/** Which form of the host runs: from its source, or as `node build.ts` made it. */
export type HostForm = 'source' | 'bundle' | 'snapshot';
/** MINIMCP_TEST_HOST runs the same tests against what was built. */
export const hostForm = (process.env['MINIMCP_TEST_HOST'] ?? 'source') as HostForm;

function programOf(form: HostForm, type: string): string[] {
  if (form === 'source') return [resolve(root, 'mcp-servers/host/main.ts')];
  if (form === 'bundle') return [resolve(root, 'dist/host.js'), '--type', type];
  const blob = `dist/hosts/${type}-${process.version}-${process.platform}-${process.arch}.blob`;
  return ['--snapshot-blob', resolve(root, blob), 'host'];
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface TestHost {
  readonly process: ChildProcess;
  readonly assignment: Assignment;
  readonly directory: string;
  readonly port: number;
  readonly origin: string;
  readonly url: string;
  readonly token: string;
  readonly controlToken: string;
  readonly exited: Promise<Exit>;
  identity(): HostIdentity;
  exit(): HostExit;
  /** Everything it and its child have written. */
  output(): string;
  logLines(): Record<string, unknown>[];
  health(): Promise<HostHealth>;
  lease(lease: Partial<HostLease>): Promise<Response>;
  /** Kills what is left of it and removes its files. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface HostOptions extends Partial<Omit<Assignment, 'command'>> {
  /** Milliseconds until the lease ends; null = never. */
  readonly leaseMs?: number | null;
  /** The stdio child: argv, or with its environment and directory. */
  readonly command?: string[] | Partial<NonNullable<Assignment['command']>> | null;
  readonly env?: Record<string, string>;
  /** In another form than the one under test. */
  readonly form?: HostForm;
}

/** The machine's monotonic clock, which all its processes share. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A started host process with its channel, not yet assigned. */
export interface Standby {
  readonly process: ChildProcess;
  readonly attempt: string;
  readonly directory: string;
  readonly exited: Promise<Exit>;
}

export function spawnHost(options: Pick<HostOptions, 'env' | 'form' | 'type' | 'command'> = {}): Standby {
  const program = programOf(options.form ?? hostForm, typeOf(options));
  const directory = mkdtempSync(join(tmpdir(), 'minimcp-host-'));
  const attempt = randomUUID();
  const output = openSync(join(directory, 'output.log'), 'a');
  const child = spawn(process.execPath, [...program, '--instance', 'test', '--attempt', attempt], {
    stdio: ['ignore', output, output, 'ipc'],
    detached: true,
    env: { PATH: process.env['PATH'] ?? '', MINIMCP_ATTEMPT: attempt, ...options.env },
  });
  closeSync(output);
  const exited = new Promise<Exit>(settle => {
    child.once('exit', (code, signal) => settle({ code, signal }));
  });
  return { process: child, attempt, directory, exited };
}

/** Binds a port, starts a host and hands both over as the controllers do; resolves when it has accepted. */
export async function startHost(options: HostOptions = {}): Promise<TestHost> {
  const listener = await listen();
  const standby = spawnHost(options);
  return assign(standby, listener, options);
}

/** A bound port and the connections it has accepted before a host was there. */
export interface Listener {
  readonly server: Server;
  readonly early: Socket[];
}

export async function listen(): Promise<Listener> {
  const early: Socket[] = [];
  // Paused, so that nothing of an early connection is read here before the host gets it.
  const server = createServer({ pauseOnConnect: true }, socket => early.push(socket));
  await new Promise<void>(done => {
    server.listen(0, '127.0.0.1', done);
  });
  return { server, early };
}

export async function assign(standby: Standby, listener: Listener, options: HostOptions = {}): Promise<TestHost> {
  const { port } = listener.server.address() as AddressInfo;
  const token = `token-${randomBytes(12).toString('hex')}`;
  const controlToken = `control-${randomBytes(12).toString('hex')}`;
  const { leaseMs = null, command = null, env: _env, form: _form, ...overrides } = options;
  const assignment: Assignment = {
    instance: { uid: randomUUID(), name: 'test' },
    attempt: standby.attempt,
    node: 'test-node',
    type: typeOf(options),
    config: {},
    secrets: command === null ? { token: 'ghp_testtoken' } : {},
    upstreamUrl: 'http://127.0.0.1:9',
    tokenUrl: null,
    command: resolveCommand(command),
    tokenHash: sha256(token),
    controlTokenHash: sha256(controlToken),
    expiresAt: leaseMs === null ? null : new Date(Date.now() + leaseMs).toISOString(),
    remainingMs: leaseMs,
    monotonicMs: monotonicMs(),
    host: '127.0.0.1',
    port,
    runDirectory: standby.directory,
    logLevel: 'info',
    ...overrides,
  };
  await handOver(standby, listener, assignment);
  return describeHost(standby, assignment, { token, controlToken });
}

/** A github host, unless something else is asked for. */
function typeOf({ type, command }: Pick<HostOptions, 'type' | 'command'>): string {
  return type ?? (command === null || command === undefined ? 'github' : 'stdio');
}

function resolveCommand(command: HostOptions['command']): Assignment['command'] {
  if (command === null || command === undefined) return null;
  const given = Array.isArray(command) ? { argv: command } : command;
  return { argv: [], env: { PATH: process.env['PATH'] ?? '' }, cwd: tmpdir(), ...given };
}

/** Rejects when the host exits instead of accepting. */
async function handOver(standby: Standby, { server, early }: Listener, assignment: Assignment): Promise<void> {
  const { process: child } = standby;
  const forward = (socket: Socket) => child.send({ kind: 'connection' } satisfies HostInput, socket);
  for (const socket of early) forward(socket);
  server.on('connection', forward);
  const accepted = new Promise<void>(settle => {
    child.on('message', (message: HostOutput) => message.kind === 'accepted' && settle());
  });
  child.send({ kind: 'assignment', assignment } satisfies HostInput, server);
  const refused = standby.exited.then(({ code }) => {
    throw new Error(`the host exited with ${code}: ${readFileSync(join(standby.directory, 'output.log'), 'utf8')}`);
  });
  try {
    await Promise.race([accepted, refused]);
  } finally {
    refused.catch(() => {});
    server.close();
    if (child.connected) child.disconnect();
  }
}

function describeHost(
  standby: Standby,
  assignment: Assignment,
  { token, controlToken }: Record<'token' | 'controlToken', string>,
): TestHost {
  const { directory, process: child, exited } = standby;
  const origin = `http://127.0.0.1:${assignment.port}`;
  const output = () => readFileSync(join(directory, 'output.log'), 'utf8');
  const authorization = `Bearer ${controlToken}`;
  const dispose = () => disposeHost(standby);
  return {
    process: child,
    assignment,
    directory,
    port: assignment.port,
    origin,
    url: `${origin}/mcp`,
    token,
    controlToken,
    exited,
    output,
    identity: () => hostIdentity.parse(JSON.parse(readFileSync(join(directory, 'identity.json'), 'utf8'))),
    exit: () => hostExit.parse(JSON.parse(readFileSync(join(directory, 'exit.json'), 'utf8'))),
    logLines: () =>
      output()
        .split('\n')
        .filter(line => line.startsWith('{"level"'))
        .map(line => JSON.parse(line) as Record<string, unknown>),
    async health() {
      const response = await fetch(`${origin}/healthz`, { headers: { authorization } });
      return hostHealth.parse(await response.json());
    },
    lease: lease =>
      fetch(`${origin}/control/lease`, {
        method: 'PUT',
        headers: { authorization },
        body: JSON.stringify({ tokenHash: assignment.tokenHash, expiresAt: null, remainingMs: null, ...lease }),
      }),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

export async function disposeHost({ process: child, attempt, directory, exited }: Standby): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  await exited;
  for (const pid of findMarked(attempt)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Its input ended with the host, so it may have gone by itself meanwhile.
    }
  }
  await until('the marked processes are gone', () => findMarked(attempt).length === 0);
  if (existsSync(directory)) rmSync(directory, { recursive: true });
}

/** The live processes that carry an attempt's marker, this host and all its descendants. */
export function findMarked(attempt: string): number[] {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.filter(pid => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`MINIMCP_ATTEMPT=${attempt}`);
    } catch {
      return false;
    }
  });
}
