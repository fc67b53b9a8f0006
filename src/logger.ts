import { pino } from 'pino';
import type { Logger } from 'pino';

export type { Logger };

/** One JSON line per entry on stderr: stdout belongs to what a command answers. */
export function createLogger(level: string): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ fd: 2, sync: true }));
}
