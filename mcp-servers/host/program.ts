import type { McpServer, ProtocolEra, Server, ServerNotifier } from '@modelcontextprotocol/server';
import type { Assignment, HostExit } from '../../specs/assignment.ts';
import type { Conceal, Log } from './log.ts';

/** Why a program ended by itself; it becomes the host's exit. */
export interface ProgramEnd {
  readonly reason: 'misconfigured' | 'child-exited' | 'crashed';
  readonly message: string;
  /** With child-exited: how the child itself ended. */
  readonly child?: HostExit['child'];
}

/** What a server type gives the host: one per process, started with the assignment. */
export interface Program {
  /**
   * A fresh SDK server for one exchange. May wait for what stands behind it, boundedly.
   * Throws Unavailable with a sentence for the client when that cannot answer.
   */
  createServer(era: ProtocolEra): McpServer | Server | Promise<McpServer | Server>;
  /** Why it is known not to be able to answer; null when a request is worth a try. */
  trouble(): string | null;
  /** Settles when the program ends by itself; never for one that is only code. */
  readonly ended: Promise<ProgramEnd>;
  /** Ends everything it started: kindly at first, by force after graceMs. */
  stop(graceMs: number): Promise<void>;
  /** Ends everything it started at once, for a host that is about to die. */
  kill(): void;
}

export interface ProgramContext {
  readonly assignment: Assignment;
  readonly log: Log;
  readonly conceal: Conceal;
  /** Tells the clients that listen that a list has changed. */
  readonly notify: ServerNotifier;
}

export type StartProgram = (context: ProgramContext) => Program;

/** A request cannot be answered at present; the message is for the client. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
}

/** Starting again will not help before somebody changes the spec; the message says what to change. */
export class Misconfigured extends Error {
  override readonly name = 'Misconfigured';
}
