import type { IncomingMessage, ServerResponse } from 'node:http';
import type { JSONRPCMessage, McpServer, ProtocolEra, Server, ServerNotifier } from '@modelcontextprotocol/server';
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
  /**
   * Answers what comes in a revision with sessions, where the type keeps sessions; without it every request
   * stands alone. Resolves when the response is over, or with false, and nothing written, for a request that
   * stands alone all the same. Never rejects.
   */
  serveLegacy?(exchange: LegacyExchange): Promise<boolean>;
  /** Why it is known not to be able to answer; null when a request is worth a try. */
  trouble(): string | null;
  /** Settles when the program ends by itself; never for one that is only code. */
  readonly ended: Promise<ProgramEnd>;
  /** Ends everything it started: kindly at first, by force after graceMs. */
  stop(graceMs: number): Promise<void>;
  /** Ends everything it started at once, for a host that is about to die. */
  kill(): void;
}

/** An authorised HTTP request of a legacy client. */
export interface LegacyExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The JSON of a POST; undefined without one. */
  readonly body: unknown;
  /** To be told of every answer before it is on its way: it is counted and logged. */
  answered(message: JSONRPCMessage): void;
  /** Aborted when the client has gone, and when its stream has to end: the message of the reason says why. */
  readonly signal: AbortSignal;
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
  /** When it is worth another try. */
  readonly retryAfterS: number;
  constructor(message: string, retryAfterS = 60) {
    super(message);
    this.retryAfterS = retryAfterS;
  }
}

/** Starting again will not help before somebody changes the spec; the message says what to change. */
export class Misconfigured extends Error {
  override readonly name = 'Misconfigured';
}
