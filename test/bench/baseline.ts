import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, openSync, closeSync } from 'node:fs';
import net from 'node:net';
import { join, resolve } from 'node:path';
import type { Assignment } from '../../specs/assignment.ts';
import { firstAnswer } from './mcp.ts';

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

/** What an instance of each vendor's type starts with. Nobody asks the vendor before the first call of a tool. */
export const keyValues: Readonly<Record<string, Record<string, string>>> = {
  github: { token: 'ghp_testtoken' },
  figma: { token: 'figd_testtoken' },
  gmail: { clientId: 'bench', clientSecret: 'bench', refreshToken: 'bench' },
};

export interface Bare {
  readonly port: number;
  readonly child: ChildProcess;
  end(): Promise<void>;
}

/**
 * What everyone would do by hand: bind, spawn the same bundled server with no compile cache, hand it its
 * assignment. No database, no identity, no health.
 */
export async function spawnBare(
  directory: string,
  port: number,
  token: string,
  upstreamUrl: string,
  type = 'github',
): Promise<Bare> {
  const run = mkdtempSync(join(directory, 'bare-'));
  const log = openSync(join(run, 'log'), 'a');
  const attempt = randomUUID();
  const server = net.createServer();
  await new Promise<void>(done => server.listen({ port, host: '127.0.0.1', exclusive: true }, done));
  const program = [resolve('dist/host.js'), '--type', type];
  const child = spawn(process.execPath, [...program, '--instance', 'bare', '--attempt', attempt], {
    cwd: run,
    stdio: ['ignore', log, log, 'ipc'],
    env: { PATH: process.env['PATH'] },
  });
  closeSync(log);
  const assignment: Assignment = {
    instance: { uid: randomUUID(), name: 'bare' },
    attempt,
    node: 'bench',
    type,
    config: {},
    secrets: keyValues[type]!,
    upstreamUrl,
    tokenUrl: null,
    command: null,
    tokenHash: hash(token),
    controlTokenHash: hash('control'),
    expiresAt: null,
    remainingMs: null,
    monotonicMs: Number(process.hrtime.bigint()) / 1e6,
    host: '127.0.0.1',
    port,
    runDirectory: run,
    logLevel: 'info',
  };
  child.send({ kind: 'assignment', assignment }, server, () => server.close());
  return {
    port,
    child,
    end: () =>
      new Promise<void>(done => {
        child.once('exit', () => done());
        child.kill('SIGKILL');
      }),
  };
}

/** Milliseconds from a bare spawn to its first MCP answer. */
export async function timeBare(directory: string, port: number, upstreamUrl: string, type = 'github'): Promise<number> {
  const from = performance.now();
  const bare = await spawnBare(directory, port, 'bench', upstreamUrl, type);
  await firstAnswer(port, 'bench');
  const ms = performance.now() - from;
  await bare.end();
  return ms;
}

/** Milliseconds from spawning all at once until each has given an MCP answer. */
export async function timeBareStorm(directory: string, ports: readonly number[], upstreamUrl: string): Promise<number> {
  const from = performance.now();
  const all = await Promise.all(ports.map(port => spawnBare(directory, port, 'bench', upstreamUrl)));
  await Promise.all(ports.map(port => firstAnswer(port, 'bench')));
  const ms = performance.now() - from;
  await Promise.all(all.map(bare => bare.end()));
  return ms;
}
