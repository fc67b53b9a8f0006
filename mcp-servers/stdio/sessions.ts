import { randomBytes } from 'node:crypto';
import type { JSONRPCMessage, JSONRPCRequest } from '@modelcontextprotocol/client';
import type { Log } from '../host/log.ts';
import { Unavailable } from '../host/program.ts';
import type { Child } from './child.ts';
import { createSession } from './session.ts';
import type { Session } from './session.ts';

export interface SessionLimits {
  /** Sessions at once, each with a child of its own. */
  readonly most: number;
  /** A session in which nothing moves for this long is over. */
  readonly idleMs: number;
  /** The same for one with an open stream: its client lives, and most clients do not survive the end of a session. */
  readonly silentMs: number;
  /** Where there is no room, a session that has been quiet for this long makes some. */
  readonly restMs: number;
  /** The same for one whose client listens. */
  readonly yieldMs: number;
  /** A child that has not answered `initialize` by then will not. */
  readonly handshakeMs: number;
  /** What a child is given to end kindly. */
  readonly graceMs: number;
}

export const sessionLimits: SessionLimits = {
  most: 16,
  idleMs: 10 * 60_000,
  silentMs: 60 * 60_000,
  restMs: 10_000,
  yieldMs: 60_000,
  handshakeMs: 60_000,
  graceMs: 2000,
};

/** What SIGKILL may take on top of the grace. */
const stubbornMs = 3000;
/** How long the last words of a child that has ended may take to reach its client. */
const lastWordsMs = 500;
const longestSweepMs = 30_000;
/** What a server of the modern revision alone says to `initialize`. */
const unsupportedVersion = -32022;
/** After this many children in a row that did not answer `initialize` there is a pause before the next. */
const mostFailures = 3;
const longestPauseS = 60;

export interface SessionSource {
  start(): Child;
  /** Whether the child for all, once it is up, speaks the modern revision. */
  isModern(): Promise<boolean>;
}

export interface Sessions {
  /** The server turned out to know no sessions: it speaks the modern revision alone. */
  readonly impossible: boolean;
  /** Null for one that has ended or never was. */
  find(id: string): Session | null;
  /**
   * Starts a child and hands `initialize` to it. With a session when it has answered with a result.
   * Rejects with Unavailable where there is no room, and with Misconfigured when there is nothing to start.
   */
  open(initialize: JSONRPCRequest, signal: AbortSignal): Promise<{ answer: JSONRPCMessage; session: Session | null }>;
  close(session: Session, why: string): void;
  /** Ends all of them, kindly at first. */
  stop(graceMs: number): Promise<void>;
}

/** The legacy sessions of one instance. */
export function createSessions({ start, isModern }: SessionSource, log: Log, limits: SessionLimits): Sessions {
  // A Map, so that no id reaches Object.prototype.
  const sessions = new Map<string, Session>();
  const opening = new Set<Session>();
  const leaving = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let refused = false;
  let admitted = false;
  let failures = 0;
  let pausedUntilMs = 0;

  const end = (session: Session, why: string, graceMs: number) => {
    const known = sessions.delete(session.id) || opening.delete(session);
    if (!known) return;
    log.info({ sessions: sessions.size, why }, 'session ended');
    const gone = session.end(why, graceMs).finally(() => leaving.delete(gone));
    leaving.add(gone);
    if (sessions.size === 0) clearInterval(timer);
  };
  const sweep = () => {
    for (const session of sessions.values()) {
      const limitMs = session.connected ? limits.silentMs : limits.idleMs;
      if (session.quietMs >= limitMs) end(session, 'The session was idle for too long.', limits.graceMs);
    }
  };
  // Those that are leaving cost a process each as well.
  const isFull = () => sessions.size + opening.size + leaving.size >= limits.most;
  const oneLeft = async (signal: AbortSignal): Promise<boolean> => {
    const enough = AbortSignal.any([signal, AbortSignal.timeout(limits.graceMs + stubbornMs)]);
    const waited = new Promise<false>(resolve => {
      enough.addEventListener('abort', () => resolve(false), { once: true });
    });
    return Promise.race([waited, ...[...leaving].map(gone => gone.then(() => true))]);
  };
  const makeRoom = async (signal: AbortSignal): Promise<void> => {
    // Not even SIGKILL ends a process that hangs in the kernel: nobody waits for that one.
    if (leaving.size > 0 && ((await oneLeft(signal)) || signal.aborted)) return;
    // First those whose client is gone, then those whose client only listens; in both, the quietest first.
    const idle = [...sessions.values()]
      .filter(session => !session.busy && session.quietMs >= (session.connected ? limits.yieldMs : limits.restMs))
      .toSorted((a, b) => Number(a.connected) - Number(b.connected) || b.quietMs - a.quietMs);
    if (idle[0] === undefined) {
      throw new Unavailable(
        `All ${limits.most} sessions of this instance are in use. End one (DELETE with its Mcp-Session-Id) or try again in a minute; clients that need no session of their own are better served with spec.config.isolation "shared".`,
      );
    }
    end(idle[0], 'Another client needed the room of this idle session.', limits.graceMs);
    await oneLeft(signal);
  };
  const fail = () => {
    // Those that were on their way already say nothing new.
    // One that lives proves that it is not the server, but how this client begins.
    if (sessions.size > 0 || performance.now() < pausedUntilMs || ++failures < mostFailures) return;
    const pauseS = Math.min(longestPauseS, 2 ** (failures - mostFailures));
    pausedUntilMs = performance.now() + pauseS * 1000;
  };
  const admit = (session: Session) => {
    opening.delete(session);
    admitted = true;
    failures = 0;
    if (sessions.size === 0) {
      timer = setInterval(sweep, Math.min(longestSweepMs, limits.idleMs / 2)).unref();
    }
    sessions.set(session.id, session);
    log.info({ sessions: sessions.size }, 'session opened');
  };

  return {
    get impossible() {
      return refused && !admitted;
    },
    find: id => sessions.get(id) ?? null,
    async open(initialize, signal) {
      const pauseS = Math.ceil((pausedUntilMs - performance.now()) / 1000);
      if (pauseS > 0 && sessions.size === 0) {
        throw new Unavailable(
          `The last ${failures} processes for a new session ended or were silent at initialize. Try again in ${pauseS} s.`,
          pauseS,
        );
      }
      // Looked at again after each wait: whoever waited as well may have taken the room.
      while (isFull() && !signal.aborted) await makeRoom(signal);
      if (signal.aborted) throw new Unavailable((signal.reason as Error).message);
      const child = start();
      // 192 bits in visible ASCII. It finds the session; that the client may use it, its token proves every time.
      const session = createSession(randomBytes(24).toString('base64url'), child);
      opening.add(session);
      void whenOver(child, session).then(why => end(session, `${why} Initialize again for a new session.`, 0));
      const late = setTimeout(() => {
        const why = `"${child.name}" has not answered initialize for ${limits.handshakeMs / 1000} s.`;
        end(session, why, limits.graceMs);
      }, limits.handshakeMs);
      const abort = () => end(session, (signal.reason as Error).message, limits.graceMs);
      signal.addEventListener('abort', abort, { once: true });
      try {
        const answer = await new Promise<JSONRPCMessage>(resolve => {
          session.send([initialize], null, resolve);
        });
        const live = opening.has(session);
        if (live && 'result' in answer) admit(session);
        else if (!live && !signal.aborted) fail();
        if (live && 'error' in answer && answer.error.code === unsupportedVersion) refused ||= await isModern();
        return { answer, session: sessions.get(session.id) ?? null };
      } finally {
        clearTimeout(late);
        signal.removeEventListener('abort', abort);
        if (opening.has(session)) end(session, 'The server refused to initialize.', limits.graceMs);
      }
    },
    close: (session, why) => end(session, why, limits.graceMs),
    async stop(graceMs) {
      for (const session of [...sessions.values(), ...opening]) end(session, 'The instance is being stopped.', graceMs);
      await Promise.all(leaving);
    },
  };
}

/** Resolves when a child can answer no more, with why. */
async function whenOver(child: Child, session: Session): Promise<string> {
  const silent = session.heard.then(() => wait(1000)).then(() => `"${child.name}" has closed its output.`);
  const ended = child.ended.then(
    async how => {
      await Promise.race([session.heard, wait(lastWordsMs)]);
      return child.describe(how);
    },
    (error: Error) => error.message,
  );
  return Promise.race([ended, silent]);
}

function wait(ms: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, ms).unref();
  });
}
