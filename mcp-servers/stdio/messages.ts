import type { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { JSONRPCMessage } from '@modelcontextprotocol/client';
import { splitLines } from './lines.ts';

/** An answer over this is dropped, and its request gets an error. */
const maxLineBytes = 16 * 1024 * 1024;
/** While this many messages wait, the child has to wait as well. */
const maxWaiting = 64;
const openBrace = 0x7b;

export interface MessageReader {
  onMessage(message: JSONRPCMessage): void;
  /** A line on stdout that is no JSON-RPC: a banner, a print that should have gone to stderr. */
  onNoise(line: Buffer): void;
}

/**
 * Reads newline-delimited JSON-RPC. Delivers one message at a time, and after a notification only in the
 * next turn of the event loop: the SDK handles notifications later than answers, so progress that arrives
 * in one chunk with its result would be lost. Resolves when the stream has ended and all is delivered.
 */
export async function readMessages(stream: Readable, { onMessage, onNoise }: MessageReader): Promise<void> {
  const waiting: JSONRPCMessage[] = [];
  let delivered = Promise.resolve();
  let busy = false;

  const deliver = async () => {
    for (let message = waiting.shift(); message !== undefined; message = waiting.shift()) {
      onMessage(message);
      if (!('id' in message)) await nextTurn();
    }
    busy = false;
    stream.resume();
  };
  const take = (message: JSONRPCMessage) => {
    waiting.push(message);
    if (waiting.length >= maxWaiting) stream.pause();
    if (busy) return;
    busy = true;
    delivered = deliver();
  };
  const split = splitLines(maxLineBytes, {
    onLine(line) {
      const message = parseMessage(line);
      if (message === null) onNoise(line);
      else take(message);
    },
    onOversize(head, tail, bytes) {
      onNoise(Buffer.from(`[a line of ${bytes} bytes on stdout was dropped]`));
      const id = answeredId(head, tail);
      const message = `The server's answer of ${bytes} bytes is over the limit of ${maxLineBytes} bytes.`;
      if (id !== null) take({ jsonrpc: '2.0', id, error: { code: -32603, message } });
    },
  });
  stream.on('data', split);
  await new Promise(resolve => {
    stream.once('end', resolve);
    stream.once('close', resolve);
    stream.once('error', resolve);
  });
  split(Buffer.from('\n'));
  await delivered;
}

function parseMessage(line: Buffer): JSONRPCMessage | null {
  // A flood of text is told from JSON by its first byte: a thrown SyntaxError per line would cost far more.
  if (line[0] !== openBrace && line.toString('latin1', 0, 64).trimStart()[0] !== '{') return null;
  try {
    const value = JSON.parse(line.toString('utf8')) as unknown;
    if (typeof value !== 'object' || value === null || !('jsonrpc' in value)) return null;
    return 'method' in value || 'id' in value ? (value as JSONRPCMessage) : null;
  } catch {
    return null;
  }
}

/** Which request an answer belongs to, from the edges of its line: the id is at either end. */
function answeredId(head: string, tail: string): number | null {
  const match =
    /^\s*\{\s*"jsonrpc"\s*:\s*"2\.0"\s*,\s*"id"\s*:\s*(\d+)\s*,\s*"(?:result|error)"/.exec(head) ??
    /,\s*"id"\s*:\s*(\d+)\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$/.exec(tail);
  return match === null ? null : Number(match[1]);
}
