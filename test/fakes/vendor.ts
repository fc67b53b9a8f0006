/**
 * What the fake vendors have in common: a process of its own that prints `{"url": …}` when it listens, records
 * what it is asked, and goes wrong when a test says so. Tests steer it at /_control: PUT and DELETE fault, GET
 * and DELETE calls, and what the fake itself adds.
 */
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A request as a fake answers it. */
export interface VendorCall {
  readonly method: string;
  /** As it came: percent-encoded, without the query. */
  readonly rawPath: string;
  /** Percent-decoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Parsed where it is JSON, else the text; null without one. */
  readonly body: unknown;
}

export interface VendorReply {
  readonly status: number;
  /** A Buffer or text goes out as it is, anything else as JSON. */
  readonly body: unknown;
  readonly headers?: Record<string, string>;
}

/** What a test reads of each request. */
export interface RecordedCall {
  readonly method: string;
  readonly rawPath: string;
  readonly path: string;
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
  status: number | null;
  /** The client went away before it had its answer. */
  aborted: boolean;
}

/** What a test switches on, until it is switched off. slow: late by delayMs; truncated: the body breaks off. */
export interface VendorFault<Kind extends string = string> {
  readonly kind: Kind | 'slow' | 'truncated';
  readonly delayMs?: number;
  /** How many calls go wrong; without it, all. */
  readonly times?: number;
  /** Only calls whose decoded path matches this regular expression. */
  readonly path?: string;
}

export interface Vendor<Kind extends string> {
  /** The true answer, its own refusals (401, 404) included. */
  answer(call: VendorCall): VendorReply;
  readonly faults: Record<Kind, () => VendorReply>;
  /** Sent with every reply, unless the reply has its own. */
  readonly headers?: Record<string, string>;
  /** Further commands of tests: `METHOD name`, with the body. Its answer goes out as JSON. */
  control?(command: string, body: unknown): unknown;
}

export function serveVendor<Kind extends string>(vendor: Vendor<Kind>): void {
  let fault: VendorFault<Kind> | null = null;
  let faultsLeft = Infinity;
  let calls: RecordedCall[] = [];

  const takeFault = (path: string): VendorFault<Kind> | null => {
    if (fault === null || faultsLeft === 0 || !new RegExp(fault.path ?? '').test(path)) return null;
    faultsLeft -= 1;
    return fault;
  };
  const control = (command: string, body: unknown): unknown => {
    if (command === 'PUT fault') {
      fault = body as VendorFault<Kind>;
      faultsLeft = fault.times ?? Infinity;
    } else if (command === 'DELETE fault') fault = null;
    else if (command === 'DELETE calls') calls = [];
    else if (command !== 'GET calls') return vendor.control?.(command, body) ?? null;
    return calls;
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://fake');
    const method = request.method ?? 'GET';
    const body = await readBody(request);
    const command = /^\/_control\/(.+)$/.exec(url.pathname)?.[1];
    if (command !== undefined) return void response.end(JSON.stringify(control(`${method} ${command}`, body)));
    const path = decodeURIComponent(url.pathname);
    const { headers } = request;
    const recorded: RecordedCall = {
      method,
      rawPath: url.pathname,
      path,
      query: url.search,
      headers,
      body,
      status: null,
      aborted: false,
    };
    calls.push(recorded);
    response.once('close', () => {
      recorded.aborted = !response.writableFinished;
    });
    const wrong = takeFault(path);
    if (wrong?.kind === 'slow') await sleep(wrong.delayMs ?? 1000);
    const call = { method, rawPath: url.pathname, path, query: url.searchParams, headers, body };
    const faulty = wrong === null || wrong.kind === 'slow' || wrong.kind === 'truncated' ? null : wrong.kind;
    const reply = faulty === null ? vendor.answer(call) : vendor.faults[faulty]();
    recorded.status = reply.status;
    send(response, { ...reply, headers: { ...vendor.headers, ...reply.headers } }, wrong?.kind === 'truncated');
  };

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo;
    process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${port}` })}\n`);
  });
  // With a channel to a test, it ends with that test, however that ends.
  process.on('disconnect', () => process.exit(0));
}

function send(response: ServerResponse, { status, body, headers }: VendorReply, truncated: boolean): void {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const bodiless = status === 204 || status === 304;
  response.writeHead(status, {
    ...(!bodiless && { 'content-type': 'application/json; charset=utf-8', 'content-length': bytes.length }),
    ...headers,
  });
  if (bodiless) response.end();
  else if (!truncated) response.end(bytes);
  else response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy());
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
