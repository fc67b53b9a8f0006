import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { baseEnvironment } from '../../controllers/environment.ts';
import { until } from '../support/until.ts';
import { firstAnswer } from './mcp.ts';

export interface Product {
  readonly controllersPid: number;
  readonly apiPid: number;
  api(method: string, path: string, body?: unknown): Promise<{ status: number; body: Record<string, unknown> }>;
  access(name: string): Promise<{ port: number; token: string }>;
  end(): Promise<void>;
}

const instancePort = (url: string): number => Number(new URL(url).port);

/** MiniMCP as a user runs it, API and controllers in processes of their own, on the embedded database. */
export async function startProduct(
  dataDir: string,
  apiPort: number,
  range: string,
  upstreamUrl: string,
): Promise<Product> {
  const env = {
    ...baseEnvironment(),
    HOME: dataDir,
    MINIMCP_DATA_DIR: dataDir,
    MINIMCP_API_PORT: String(apiPort),
    MINIMCP_PORT_RANGE: range,
    MINIMCP_GITHUB_API_URL: upstreamUrl,
    MINIMCP_LOG_LEVEL: 'info',
    MINIMCP_NODE: 'bench',
  };
  const log = openSync(join(dataDir, 'bench.log'), 'a');
  const start = (role: string): ChildProcess =>
    spawn(process.execPath, ['dist/minimcp.js', role], { env, stdio: ['ignore', log, log] });
  const api = start('api');
  const base = `http://127.0.0.1:${apiPort}`;
  await until('the API answers', async () => (await fetch(`${base}/livez`)).ok, 60_000);
  const controllers = start('controllers');
  closeSync(log);
  const token = readFileSync(join(dataDir, 'admin.token'), 'utf8').trim();

  const product: Product = {
    controllersPid: controllers.pid!,
    apiPid: api.pid!,
    async api(method, path, body) {
      const reply = await fetch(`${base}/api/v1${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json' } : {}) },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      const text = await reply.text();
      return { status: reply.status, body: text === '' ? {} : JSON.parse(text) };
    },
    async access(name) {
      for (;;) {
        const reply = await product.api('GET', `/mcps/${name}/access`);
        if (reply.status === 200)
          return { port: instancePort(String(reply.body['url'])), token: String(reply.body['token']) };
        await new Promise(resolve => setTimeout(resolve, 1));
      }
    },
    async end() {
      for (const child of [controllers, api]) {
        await new Promise<void>(done => {
          child.once('exit', () => done());
          child.kill('SIGTERM');
        });
      }
    },
  };
  await until(
    'the controllers run',
    async () => ((await product.api('GET', '/nodes')).body['items'] as unknown[]).length > 0,
    30_000,
  );
  return product;
}

export function declare(product: Product, name: string, type = 'github'): Promise<{ status: number }> {
  return product.api('POST', '/mcps', { metadata: { name }, spec: { type, apiKey: `bench-${type}`, config: {} } });
}

export async function remove(product: Product, names: readonly string[]): Promise<void> {
  await Promise.all(names.map(name => product.api('DELETE', `/mcps/${name}?wait=10s`)));
}

/** Milliseconds from POST to the first MCP answer. */
export async function timeDeclared(product: Product, name: string, type = 'github'): Promise<number> {
  const from = performance.now();
  await declare(product, name, type);
  const { port, token } = await product.access(name);
  await firstAnswer(port, token);
  return performance.now() - from;
}

interface Status {
  readonly phase: string;
  readonly pid: number | null;
  readonly backoffStep?: number;
}

export async function status(product: Product, name: string): Promise<Status> {
  return (await product.api('GET', `/mcps/${name}`)).body['status'] as Status;
}

/** Milliseconds from kill -9 of the instance's process to the next MCP answer. */
export async function timeKilled(product: Product, name: string): Promise<number> {
  await until('it is Ready', async () => (await status(product, name)).phase === 'Ready', 30_000);
  const { port, token } = await product.access(name);
  const { pid } = await status(product, name);
  const from = performance.now();
  process.kill(pid!, 'SIGKILL');
  await firstAnswer(port, token);
  return performance.now() - from;
}
