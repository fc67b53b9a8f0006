import type { Readable, Writable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isJSONRPCErrorResponse, isJSONRPCResultResponse } from '@modelcontextprotocol/client';
import type { JSONRPCMessage } from '@modelcontextprotocol/client';
import { writeWhole } from '../host/log.ts';
import { splitLines } from './lines.ts';

/** An answer over this is dropped, and its request gets an error. */
const maxLineBytes = 16 * 1024 * 1024;
/** While this many messages wait, or messages of so many bytes, the child has to wait as well. */
const maxWaiting = 64;
const maxWaitingBytes = 4 * 1024 * 1024;
const internalError = -32603;
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
  /** Of what has come since nothing waited. */
  let bytes = 0;

  const deliver = async () => {
    for (let message = waiting.shift(); message !== undefined; message = waiting.shift()) {
      try {
        await onMessage(message);
      } catch (error) {
        // One message that cannot be taken must not cost those behind it, nor the other clients.
        onNoise(Buffer.from(`[a message on stdout was lost: ${String(error)}]`));
      }
      if (!('id' in message)) await nextTurn();
    }
    busy = false;
    bytes = 0;
    stream.resume();
  };
  const take = (message: JSONRPCMessage, length: number) => {
    waiting.push(message);
    bytes += length;
    if (waiting.length >= maxWaiting || bytes >= maxWaitingBytes) stream.pause();
    if (busy) return;
    busy = true;
    delivered = deliver();
  };
  const split = splitLines(maxLineBytes, {
    onLine(line) {
      const message = parseMessage(line);
      if (message === null) onNoise(line);
      else take(message, line.length);
    },
    onOversize(head, tail, length) {
      onNoise(Buffer.from(`[a line of ${length} bytes on stdout was dropped]`));
      const id = answeredId(head, tail);
      const message = `The server's answer of ${length} bytes is over the limit of ${maxLineBytes} bytes.`;
      if (id !== null) take({ jsonrpc: '2.0', id, error: { code: internalError, message } }, message.length);
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
    if ('method' in value) return typeof value.method === 'string' ? (value as JSONRPCMessage) : null;
    return 'id' in value ? readAnswer(value) : null;
  } catch {
    return null;
  }
}

/**
 * An answer as everyone further on expects it. Some servers send `error: null` beside a result, or `result: null`
 * beside an error; what is neither a result nor an error becomes one, as its request would wait for ever.
 */
function readAnswer({ id, result, error }: { id: unknown; result?: unknown; error?: unknown }): JSONRPCMessage {
  const answer = { jsonrpc: '2.0', id, ...(error === undefined || error === null ? { result } : { error }) };
  if (isJSONRPCResultResponse(answer) || isJSONRPCErrorResponse(answer)) return answer;
  const message = "The server's answer is not valid JSON-RPC.";
  return { jsonrpc: '2.0', id: id as string, error: { code: internalError, message } };
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
