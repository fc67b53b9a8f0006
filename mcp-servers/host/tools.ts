import { createHash } from 'node:crypto';
import type { ServerNotifier } from '@modelcontextprotocol/server';
import type { ToolHash } from '../../specs/assignment.ts';
import { describeError } from './log.ts';
import type { Log } from './log.ts';
import type { Mcp } from './mcp.ts';

export interface ToolList {
  /** SHA-256 (hex) over all tools. */
  readonly hash: string;
  /** By name. */
  readonly tools: readonly ToolHash[];
}

export interface ToolWatch {
  /** null until it was read, or where it cannot be. */
  readonly list: ToolList | null;
  /** Reads it anew, soon and once for all who ask meanwhile. */
  refresh(): void;
  /** The notifier that also refreshes when the program says that its tools have changed. */
  tellingOf(notify: ServerNotifier): ServerNotifier;
}

/** Soon enough for whoever waits for the change, and not before the first client's request. */
const soonMs = 200;
const retryMs = [1_000, 2_000, 5_000, 15_000, 60_000];
const lastRetryMs = 600_000;
const listingMs = 30_000;
const mostPages = 100;
const mostTools = 2_000;
const mostBytes = 16 * 1024 * 1024;
const longestName = 256;
const methodNotFound = -32601;

/** Keeps the hash of a server's tool list: read after its start, and when the server says that it changed. */
export function watchTools(request: Mcp['request'], log: Log): ToolWatch {
  let list: ToolList | null = null;
  let timer: NodeJS.Timeout | undefined;
  let reading = false;
  let again = false;
  let failures = 0;

  function readIn(ms: number): void {
    timer ??= setTimeout(() => void read(), ms).unref();
  }

  async function read(): Promise<void> {
    reading = true;
    again = false;
    clearTimeout(timer);
    timer = undefined;
    try {
      list = hashTools(await listTools(request));
      failures = 0;
    } catch (error) {
      // A server that is starting, or hung: it is tried again, ever more rarely.
      log.debug({ ...describeError(error), failures }, 'the tools could not be listed');
      readIn(retryMs[failures] ?? lastRetryMs);
      failures += 1;
      // What was known of before may not hold any more.
      if (failures > retryMs.length) list = null;
    } finally {
      reading = false;
    }
    if (again) readSoon();
  }

  /** Also in place of a retry that is far away; asked for without end, it still comes to pass. */
  function readSoon(): void {
    if (failures > 0) {
      clearTimeout(timer);
      timer = undefined;
    }
    failures = 0;
    readIn(soonMs);
  }

  const refresh = (): void => {
    if (reading) again = true;
    else readSoon();
  };
  return {
    get list() {
      return list;
    },
    refresh,
    tellingOf: notify => ({
      ...notify,
      toolsChanged() {
        refresh();
        return notify.toolsChanged();
      },
    }),
  };
}

/**
 * The hash of a list of tools, the same in whatever order the server gives them and their keys. Of a tool it
 * takes what the model is told of it: what is changed there unseen can make it do something else.
 */
export function hashTools(tools: readonly Record<string, unknown>[]): ToolList {
  const hashed = tools.map(({ name, title, description, inputSchema, outputSchema, annotations }): ToolHash => {
    const told = { name, title, description, inputSchema, outputSchema, annotations };
    return { name: storable(String(name)), hash: sha256(stableJson(told)) };
  });
  const order = (tool: ToolHash): string => `${tool.name}\0${tool.hash}`;
  hashed.sort((a, b) => (order(a) < order(b) ? -1 : 1));
  return { hash: sha256(hashed.map(order).join('\n')), tools: hashed };
}

/** All pages, within bounds. Throws when the server does not answer, or with more than they allow. */
async function listTools(request: Mcp['request']): Promise<Record<string, unknown>[]> {
  const signal = AbortSignal.timeout(listingMs);
  const tools: Record<string, unknown>[] = [];
  let bytesLeft = mostBytes;
  let cursor: string | undefined;
  for (let page = 0; page < mostPages; page++) {
    const params = cursor === undefined ? {} : { cursor };
    const text = await abortable(request({ method: 'tools/list', params }, bytesLeft, signal), signal);
    bytesLeft -= text.length;
    const { result, error } = readAnswer(text);
    // A server without tools.
    if (error?.code === methodNotFound && page === 0) return [];
    if (!Array.isArray(result?.tools)) throw new Error(error?.message ?? 'tools/list was answered without tools');
    tools.push(...result.tools.filter(isObject));
    if (tools.length > mostTools) throw new Error(`the server lists more than ${mostTools} tools`);
    cursor = typeof result.nextCursor === 'string' ? result.nextCursor : undefined;
    if (cursor === undefined) return tools;
  }
  throw new Error(`the server lists its tools on more than ${mostPages} pages`);
}

interface Answer {
  readonly result?: { readonly tools?: unknown; readonly nextCursor?: unknown };
  readonly error?: { readonly code: number; readonly message: string };
}

/** The answer in a body of JSON, or in a stream of events among notifications. */
function readAnswer(text: string): Answer {
  const bodies = text.startsWith('{') ? [text] : [...text.matchAll(/^data: ?(\{.*)$/gm)].map(([, data]) => data!);
  for (const body of bodies) {
    const message = JSON.parse(body) as Answer;
    if (message.result !== undefined || message.error !== undefined) return message;
  }
  throw new Error('tools/list was not answered');
}

/** The handler does not end for a signal alone, when the program behind it is mute. */
function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('tools/list was not answered in time')), { once: true });
    work.then(resolve, reject);
  });
}

function stableJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    isObject(inner) ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}

/** PostgreSQL stores neither a NUL nor half a character. */
function storable(name: string): string {
  return name.replaceAll('\0', '\uFFFD').slice(0, longestName).toWellFormed();
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
