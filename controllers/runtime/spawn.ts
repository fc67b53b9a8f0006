import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import PQueue from 'p-queue';
import type { Assignment, HostInput, HostOutput } from '../../specs/assignment.ts';
import { toMessage } from '../../specs/message.ts';
import { crashpoint } from '../crashpoint.ts';
import { baseEnvironment } from '../environment.ts';
import { attemptMarker, identityOf, ownerMarker } from './process-table.ts';
import type { StartOutcome } from './runtime.ts';

export interface SpawnerOptions {
  readonly hostProgram: (type: string) => readonly string[];
  readonly compileCache: string;
  readonly owner: string;
  /** Starts at once: two to four saturate two cores, more only make each take longer. */
  readonly spawnConcurrency: number;
  readonly onHostExit: (attemptId: string, instanceUid: string, code: number | null, signal: string | null) => void;
}

const acceptTimeoutMs = 20_000;
/**
 * A host mostly waits: V8's own sizes let a busy one grow to 195 MB where these keep it at 115, at the same speed.
 * The limit is far above what any vendor's answer needs here.
 */
const heapFlags = ['--max-semi-space-size=2', '--max-old-space-size=1024'];

/** Binds an instance's port, spawns its host and hands over socket and assignment. */
export function createSpawner(
  options: SpawnerOptions,
): (assignment: Assignment, directory: string) => Promise<StartOutcome> {
  const queue = new PQueue({ concurrency: options.spawnConcurrency });
  return (assignment, directory) => queue.add(() => startHost(assignment, directory, options));
}

async function startHost(assignment: Assignment, directory: string, options: SpawnerOptions): Promise<StartOutcome> {
  crashpoint('start:before-bind');
  const bound = await bind(assignment.host, assignment.port);
  if (bound.kind !== 'bound') return bound;
  crashpoint('start:bound');
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const host = spawnHost(assignment, directory, options);
    crashpoint('start:spawned');
    return await handOver(host, assignment, bound.server, directory);
  } catch (error) {
    return {
      kind: 'failed',
      message: `The host could not be started: ${error instanceof Error ? error.message : String(error)}`,
    };
  } finally {
    bound.server.close();
  }
}

type Bound = { kind: 'bound'; server: net.Server } | { kind: 'port-conflict' | 'failed'; message: string };

/** The bind is the proof that the port is free. */
function bind(host: string, port: number): Promise<Bound> {
  return new Promise(resolve => {
    const server = net.createServer({ pauseOnConnect: true });
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE')
        resolve({ kind: 'port-conflict', message: `Another program listens on ${host}:${port}` });
      else resolve({ kind: 'failed', message: `${host}:${port} cannot be bound: ${error.message}` });
    });
    server.listen({ host, port, exclusive: true }, () => resolve({ kind: 'bound', server }));
  });
}

function spawnHost(assignment: Assignment, directory: string, options: SpawnerOptions): ChildProcess {
  // Files, never pipes: a pipe's reader dies with us and the host with its next line.
  const out = openSync(join(directory, 'host.log'), 'a', 0o600);
  const err = openSync(join(directory, 'stderr.log'), 'a', 0o600);
  try {
    const host = spawn(
      process.execPath,
      [
        '--disable-sigusr1',
        ...heapFlags,
        ...options.hostProgram(assignment.type),
        '--instance',
        assignment.instance.name,
        '--attempt',
        assignment.attempt,
      ],
      { cwd: directory, detached: true, stdio: ['ignore', out, err, 'ipc'], env: hostEnvironment(assignment, options) },
    );
    host.once('exit', (code, signal) => options.onHostExit(assignment.attempt, assignment.instance.uid, code, signal));
    return host;
  } finally {
    closeSync(out);
    closeSync(err);
  }
}

function hostEnvironment(assignment: Assignment, options: SpawnerOptions): NodeJS.ProcessEnv {
  return {
    ...baseEnvironment(),
    [attemptMarker]: assignment.attempt,
    [ownerMarker]: options.owner,
    MINIMCP_COMPILE_CACHE: options.compileCache,
  };
}

/** Sends assignment and socket; resolves when the host accepted, or ended, or was given up. */
function handOver(
  host: ChildProcess,
  assignment: Assignment,
  server: net.Server,
  directory: string,
): Promise<StartOutcome> {
  return new Promise(resolve => {
    const timer = setTimeout(
      () => fail(`The host did not accept its assignment within ${acceptTimeoutMs / 1000} s`),
      acceptTimeoutMs,
    );
    const settle = (outcome: StartOutcome): void => {
      clearTimeout(timer);
      host.removeAllListeners('message');
      if (host.connected) host.disconnect();
      // The host is on its own now; it must not keep this process from ending.
      host.unref();
      resolve(outcome);
    };
    const fail = (message: string): void => {
      // Our own child and not yet reaped, so the pid is surely its.
      host.kill('SIGKILL');
      settle({ kind: 'failed', message });
    };
    host.once('error', error => settle({ kind: 'failed', message: `The host could not be started: ${error.message}` }));
    host.once('exit', (code, signal) => {
      const why = signal === null ? `code ${code}` : signal;
      settle({
        kind: 'failed',
        message: `The host ended with ${why} before it accepted its assignment. ${lastLines(directory)}`.trim(),
      });
    });
    host.once('message', message => {
      if ((message as HostOutput).kind !== 'accepted') return;
      crashpoint('start:accepted');
      const identity = host.pid === undefined ? null : identityOf(host.pid);
      if (identity === null) fail('The host ended as soon as it had accepted its assignment');
      else settle({ kind: 'started', identity });
    });
    // Until our copy of the socket is closed a connection may come to us; the host gets it.
    server.on('connection', socket => {
      const input: HostInput = { kind: 'connection' };
      if (host.connected) host.send(input, socket, () => socket.destroy());
      else socket.destroy();
    });
    const input: HostInput = { kind: 'assignment', assignment };
    host.send(input, server, error => {
      server.close();
      if (error) fail(`The assignment could not be sent: ${error.message}`);
    });
    crashpoint('start:assigned');
  });
}

function lastLines(directory: string): string {
  try {
    const said = readFileSync(join(directory, 'stderr.log'), 'utf8').trimEnd();
    return toMessage(said.split('\n').slice(-5).join(' ').slice(-500));
  } catch {
    return '';
  }
}
