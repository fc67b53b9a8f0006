import { writeSync } from 'node:fs';

const levels = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60, silent: 100 } as const;
type Level = keyof typeof levels;

/** One JSON line per call on stdout, in pino's fields. A line that cannot be written is lost, never an error. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Takes every secret out of a text, so that no error message carries one away. */
export interface Conceal {
  /** What is before `from` may begin within a secret: it helps to recognise others, and is then left out. */
  (text: string, from?: number): string;
  /** The length of the longest form of a secret. */
  readonly longestBytes: number;
}

/** Values shorter than this are words, not secrets: replacing them would only garble. */
const shortestSecret = 6;
/** The same for one line of a secret, which may be a common one. */
const shortestLine = 8;
const mark = '[secret]';

export function createConceal(secrets: readonly string[]): Conceal {
  const needles = [...new Set(secrets.filter(secret => secret.length >= shortestSecret).flatMap(listForms))];
  const conceal = (text: string, from = 0): string => {
    // All places first: replaced one by one, a secret within another would leave the other's rest behind.
    const places = needles.flatMap(needle => findAll(text, needle)).toSorted((a, b) => a.start - b.start);
    let clean = '';
    let done = from;
    for (let i = 0; i < places.length;) {
      const { start } = places[i]!;
      let { end } = places[i]!;
      while (++i < places.length && places[i]!.start < end) end = Math.max(end, places[i]!.end);
      if (end <= from) continue;
      clean += text.slice(done, Math.max(start, from)) + mark;
      done = end;
    }
    return clean + text.slice(done);
  };
  return Object.assign(conceal, { longestBytes: Math.max(0, ...needles.map(needle => Buffer.byteLength(needle))) });
}

/** A secret as it may appear in a text: whole or by the line; plain, escaped or encoded. */
function listForms(secret: string): string[] {
  const lines = secret.split(/[\r\n]+/).map(line => line.trim());
  return [secret, ...lines.filter(line => line.length >= shortestLine)].flatMap(text => [
    text,
    JSON.stringify(text).slice(1, -1),
    encodeURIComponent(text.toWellFormed()),
    ...listBase64(text),
  ]);
}

/** Base64 of a text, alone or behind something else (Basic sends `user:secret`): less the characters they share. */
function listBase64(text: string): string[] {
  const bytes = Buffer.from(text);
  const behind = [0, 1, 2].map(before => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    return encoded.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
  });
  const whole = bytes.toString('base64');
  const encoded = [whole, whole.replace(/=+$/, ''), ...behind];
  return [...encoded, ...encoded.map(each => each.replaceAll('+', '-').replaceAll('/', '_'))];
}

interface Place {
  readonly start: number;
  readonly end: number;
}

function findAll(text: string, needle: string): Place[] {
  const places: Place[] = [];
  for (let start = text.indexOf(needle); start !== -1; start = text.indexOf(needle, start + 1)) {
    places.push({ start, end: start + needle.length });
  }
  return places;
}

/**
 * Not pino: loading it would cost a fifth of the host's start, for one kind of line. Written synchronously,
 * because stdout is a file and a host may die at any moment.
 */
export function createLog(level: string, conceal: (text: string) => string = text => text): Log {
  const least = levels[level as Level] ?? levels.info;
  let torn = false;
  const write = (severity: number, fields: object, message: string) => {
    if (severity < least) return;
    const line = JSON.stringify({ level: severity, time: Date.now(), pid: process.pid, ...fields, msg: message });
    // After a failed write the file may end within a line: the next one must not be glued to it.
    torn = !writeWhole(1, `${torn ? '\n' : ''}${conceal(line)}\n`);
  };
  return {
    debug: (fields, message) => write(levels.debug, fields, message),
    info: (fields, message) => write(levels.info, fields, message),
    warn: (fields, message) => write(levels.warn, fields, message),
    error: (fields, message) => write(levels.error, fields, message),
  };
}

/** Whether all of it went to the descriptor. A full disk or a closed pipe answers false; it never throws. */
export function writeWhole(descriptor: 1 | 2, data: string | Buffer): boolean {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  try {
    return writeSync(descriptor, bytes) === bytes.length;
  } catch {
    return false;
  }
}

/** The fields of an error that are worth a log line. */
export function describeError(error: unknown): { err: { type: string; message: string; stack?: string } } {
  if (!(error instanceof Error)) return { err: { type: typeof error, message: String(error) } };
  return {
    err: {
      type: error.name,
      message: error.message,
      ...(error.stack !== undefined && { stack: error.stack }),
    },
  };
}
