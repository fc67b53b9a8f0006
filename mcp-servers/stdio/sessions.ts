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
  /** A session in which nothing moves for this long is over, whether its client listens or not. */
  readonly idleMs: number;
  /** The same for one whose client waits for an answer. */
  readonly silentMs: number;
  /** Where there is no room, a session whose client listens but has been quiet for this long makes some. */
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
  yieldMs: 60_000,
  handshakeMs: 60_000,
  graceMs: 2000,
};

/** How long the last words of a child that has ended may take to reach its client. */
const lastWordsMs = 500;
const longestSweepMs = 30_000;
/** What a server of the modern revision alone says to `initialize`. */
const unsupportedVersion = -32022;

export interface Sessions {
  /** The server turned out to know no sessions: it speaks the modern revision alone. */
  readonly impossible: boolean;
  /** Null for one that has ended or never was. */
  find(id: string): Session | null;
  /**
   * Starts a child and hands `initialize` to it. With a session when it has answered with a result.
   * Throws Unavailable where there is no room, and Misconfigured when there is nothing to start.
   */
  open(initialize: JSONRPCRequest): Promise<{ answer: JSONRPCMessage; session: Session | null }>;
  close(session: Session, why: string): void;
  /** Ends all of them, kindly at first. */
  stop(graceMs: number): Promise<void>;
}

/** The legacy sessions of one instance. */
export function createSessions(start: () => Child, log: Log, limits: SessionLimits): Sessions {
  // A Map, so that no id reaches Object.prototype.
  const sessions = new Map<string, Session>();
  const opening = new Set<Session>();
  const leaving = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let impossible = false;

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
      const limitMs = session.busy ? limits.silentMs : limits.idleMs;
      if (session.quietMs >= limitMs) end(session, 'The session was idle for too long.', limits.graceMs);
    }
  };
  const makeRoom = () => {
    if (sessions.size + opening.size < limits.most) return;
    // First those whose client is gone, then those whose client only listens; in both, the quietest first.
    const idle = [...sessions.values()]
      .filter(session => !session.busy && (!session.connected || session.quietMs >= limits.yieldMs))
      .toSorted((a, b) => Number(a.connected) - Number(b.connected) || b.quietMs - a.quietMs);
    if (idle[0] === undefined) {
      throw new Unavailable(
        `All ${limits.most} sessions of this instance are in use. End one (DELETE with its Mcp-Session-Id) or try again in a minute; clients that need no session of their own are better served with spec.config.isolation "shared".`,
      );
    }
    end(idle[0], 'Another client needed the room of this idle session.', limits.graceMs);
  };
  const admit = (session: Session) => {
    opening.delete(session);
    if (sessions.size === 0) {
      timer = setInterval(sweep, Math.min(longestSweepMs, limits.idleMs / 2)).unref();
    }
    sessions.set(session.id, session);
    log.info({ sessions: sessions.size }, 'session opened');
  };

  return {
    get impossible() {
      return impossible;
    },
    find: id => sessions.get(id) ?? null,
    async open(initialize) {
      makeRoom();
      const child = start();
      // 192 bits in visible ASCII. It finds the session; that the client may use it, its token proves every time.
      const session = createSession(randomBytes(24).toString('base64url'), child);
      opening.add(session);
      void whenOver(child, session).then(why => end(session, `${why} Initialize again for a new session.`, 0));
      const late = setTimeout(() => {
        const why = `"${child.name}" has not answered initialize for ${limits.handshakeMs / 1000} s.`;
        end(session, why, limits.graceMs);
      }, limits.handshakeMs);
      const answer = await new Promise<JSONRPCMessage>(resolve => {
        session.send([initialize], null, resolve);
      });
      clearTimeout(late);
      impossible ||= 'error' in answer && answer.error.code === unsupportedVersion;
      const live = opening.has(session);
      if (live && 'result' in answer) admit(session);
      else end(session, 'The server refused to initialize.', limits.graceMs);
      return { answer, session: sessions.get(session.id) ?? null };
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
