import type { Server } from 'node:http';
import { hostExitCodes } from '../../specs/assignment.ts';
import type { Assignment, HostExit } from '../../specs/assignment.ts';
import { toMessage } from '../../specs/message.ts';
import type { Exchanges } from './exchange.ts';
import { describeError } from './log.ts';
import type { Conceal, Log } from './log.ts';
import type { Program } from './program.ts';
import { writeExit } from './run-directory.ts';

export interface End {
  readonly reason: HostExit['reason'];
  readonly message: string;
  /** With child-exited: how the child itself ended. */
  readonly child?: HostExit['child'];
  /** How long requests that are being answered may still take. */
  readonly inFlightMs: number;
  /** How long the program may take to end kindly. */
  readonly stopMs: number;
}

export interface Ending {
  readonly begun: boolean;
  /** Begins the end of this process. A later, hastier end shortens the time the first one gave. */
  begin(end: End): void;
  /** Ends at once. */
  crash(error: unknown): void;
}

interface Host {
  readonly assignment: Assignment;
  readonly http: Server;
  readonly exchanges: Exchanges;
  readonly log: Log;
  readonly conceal: Conceal;
  program(): Program | null;
}

/** What the kill and the last words may take on top of an end's own times. */
const marginMs = 150;

export function createEnding({ assignment, http, exchanges, log, conceal, program }: Host): Ending {
  let first: End | null = null;
  let requestTimer: NodeJS.Timeout | undefined;
  let lastTimer: NodeJS.Timeout | undefined;
  let lastMs = Infinity;

  const leave = ({ reason, message, child = null }: Pick<End, 'reason' | 'message' | 'child'>): never => {
    const exit: HostExit = {
      attempt: assignment.attempt,
      code: hostExitCodes[reason],
      reason,
      message: toMessage(conceal(message)),
      child,
    };
    log.info({ reason, code: exit.code }, `host ends: ${exit.message}`);
    writeExit(assignment.runDirectory, exit);
    process.exit(exit.code);
  };
  const force = () => {
    program()?.kill();
    leave(first!);
  };
  const hurry = (end: End) => {
    const atMs = performance.now() + end.inFlightMs + end.stopMs + marginMs;
    if (atMs >= lastMs) return;
    lastMs = atMs;
    clearTimeout(requestTimer);
    clearTimeout(lastTimer);
    requestTimer = setTimeout(() => exchanges.endAll(), end.inFlightMs);
    lastTimer = setTimeout(force, end.inFlightMs + end.stopMs + marginMs);
  };
  const end = async (how: End) => {
    http.close();
    exchanges.endStreams();
    await exchanges.idle();
    await program()?.stop(how.stopMs);
    leave(how);
  };

  return {
    get begun() {
      return first !== null;
    },
    begin(how) {
      hurry(how);
      if (first !== null) return;
      first = how;
      end(how).catch((error: unknown) => {
        log.error(describeError(error), 'the end went wrong');
        force();
      });
    },
    crash(error) {
      log.error(describeError(error), 'host crashed');
      program()?.kill();
      leave({ reason: 'crashed', message: error instanceof Error ? `${error.name}: ${error.message}` : String(error) });
    },
  };
}
