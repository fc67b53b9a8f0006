import type { Readable, Writable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { JSONRPCMessage } from '@modelcontextprotocol/client';
import { writeWhole } from '../host/log.ts';
import { splitLines } from './lines.ts';

/** An answer over this is dropped, and its request gets an error. */
const maxLineBytes = 16 * 1024 * 1024;
/** While this many messages wait, the child has to wait as well. */
const maxWaiting = 64;
const openBrace = 0x7b;
const newline = Buffer.from('\n');
/** A line of plain text is passed on to the log up to here. */
const maxNoiseBytes = 8 * 1024;
/** Requests a child does not read pile up to here; then they are refused. */
const maxUnreadBytes = 16 * 1024 * 1024;

export interface MessageReader {
  /** May return a promise: nothing more is read before it is settled. */
  onMessage(message: JSONRPCMessage): Promise<void> | void;
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
      await onMessage(message);
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

/** What a child prints on stdout and should not goes where its stderr goes. */
export function passNoise(line: Buffer): void {
  writeWhole(2, Buffer.concat([line.subarray(0, maxNoiseBytes), newline]));
}

/** Throws an Error with a sentence for the client when the child cannot be told. */
export function writeMessage(stdin: Writable | null, message: object): void {
  if (stdin === null || !stdin.writable) throw new Error('The server has closed its input.');
  if (stdin.writableLength > maxUnreadBytes) throw new Error('The server does not read its input.');
  stdin.write(`${JSON.stringify(message)}\n`);
}

function parseMessage(line: Buffer): JSONRPCMessage | null {
  // A flood of text is told from JSON by its first byte: a thrown SyntaxError per line would cost far more.
  if (line[0] !== openBrace && line.toString('latin1', 0, 64).trimStart()[0] !== '{') return null;
  try {
    const value = JSON.parse(line.toString('utf8')) as unknown;
    if (typeof value !== 'object' || value === null || !('jsonrpc' in value) || value.jsonrpc !== '2.0') return null;
    return 'method' in value || 'id' in value ? (value as JSONRPCMessage) : null;
  } catch {
    return null;
  }
}

const id = String.raw`"id"\s*:\s*(-?\d+|"(?:[^"\\]|\\.)*")`;
const version = String.raw`"jsonrpc"\s*:\s*"2\.0"`;
const idAtStart = new RegExp(String.raw`^\s*\{\s*${version}\s*,\s*${id}\s*,\s*"(?:result|error)"`);
const idAtEnd = new RegExp(String.raw`,\s*${id}\s*(?:,\s*${version}\s*)?\}\s*$`);

/** Which request an answer belongs to, from the edges of its line: the id is at either end. */
function answeredId(head: string, tail: string): string | number | null {
  const match = idAtStart.exec(head) ?? idAtEnd.exec(tail);
  return match === null ? null : (JSON.parse(match[1]!) as string | number);
}
