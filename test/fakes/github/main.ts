/**
 * A GitHub REST API in memory, as a process of its own: `node main.ts` prints `{"url": …}` when it listens.
 * Tests steer it at /_control: PUT and DELETE fault, GET and DELETE calls.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { faultReply } from './fault.ts';
import type { Fault } from './fault.ts';
import { failed } from './reply.ts';
import type { Call, Reply } from './reply.ts';
import { answer } from './routes.ts';
import { createState } from './state.ts';

interface Recorded {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  status: number | null;
  /** The client went away before it had its answer. */
  aborted: boolean;
}

const state = createState();
let fault: Fault | null = null;
let calls: Recorded[] = [];

const server = createServer((request, response) => {
  serve(request, response).catch((error: unknown) => {
    response.writeHead(500).end(String(error));
  });
});

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://fake');
  const text = await readText(request);
  if (url.pathname.startsWith('/_control/')) return control(request.method ?? 'GET', url.pathname, text, response);
  const path = decodeURIComponent(url.pathname);
  const recorded: Recorded = {
    method: request.method ?? 'GET',
    path,
    query: url.search,
    status: null,
    aborted: false,
  };
  calls.push(recorded);
  response.once('close', () => {
    recorded.aborted = !response.writableFinished;
  });
  if (fault?.kind === 'slow') await sleep(fault.delayMs ?? 1000);
  const accept = request.headers.accept ?? '';
  const call: Call = { method: recorded.method, path, query: url.searchParams, accept, body: readObject(text) };
  const reply = authenticate(request.headers.authorization) ?? (fault && faultReply(fault)) ?? answer(state, call);
  recorded.status = reply.status;
  send(response, reply);
}

function authenticate(authorization: string | undefined): Reply | null {
  const token = /^(?:token|bearer) (.+)$/i.exec(authorization ?? '')?.[1];
  return token === state.token ? null : failed(401, 'Bad credentials');
}

function send(response: ServerResponse, { status, body, headers }: Reply): void {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': bytes.length,
    'x-ratelimit-remaining': '4999',
    ...headers,
  });
  if (fault?.kind !== 'truncated') response.end(bytes);
  else response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy());
}

function control(method: string, path: string, text: string, response: ServerResponse): void {
  const what = `${method} ${path}`;
  if (what === 'PUT /_control/fault') fault = JSON.parse(text) as Fault;
  else if (what === 'DELETE /_control/fault') fault = null;
  else if (what === 'DELETE /_control/calls') calls = [];
  response.end(JSON.stringify(calls));
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function readObject(text: string): Record<string, unknown> {
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${port}` })}\n`);
});
// With a channel to a test, it ends with that test, however that ends.
process.on('disconnect', () => process.exit(0));
