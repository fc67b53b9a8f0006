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

/** Replaces every secret in a text, so that no error message carries one out. */
export type Conceal = (text: string) => string;

/** Values shorter than this are words, not secrets: replacing them would only garble. */
const shortestSecret = 6;

export function createConceal(secrets: readonly string[]): Conceal {
  const needles = new Set<string>();
  for (const secret of secrets) {
    if (secret.length < shortestSecret) continue;
    needles.add(secret);
    needles.add(JSON.stringify(secret).slice(1, -1));
  }
  return text => {
    let clean = text;
    for (const needle of needles) if (clean.includes(needle)) clean = clean.replaceAll(needle, '[secret]');
    return clean;
  };
}

/**
 * Not pino: loading it would cost a fifth of the host's start, for one kind of line. Written synchronously,
 * because stdout is a file and a host may die at any moment.
 */
export function createLog(level: string, conceal: Conceal = text => text): Log {
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
