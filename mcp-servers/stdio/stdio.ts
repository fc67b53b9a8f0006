import { randomUUID } from 'node:crypto';
import { Misconfigured, Unavailable } from '../host/program.ts';
import type { LegacyExchange, Program, ProgramContext, ProgramEnd } from '../host/program.ts';
import { endDescendants, killDescendants, startChild } from './child.ts';
import { createForwarder } from './forward.ts';
import type { Forwarding, Waiting } from './forward.ts';
import { serveSession } from './session-endpoint.ts';
import { createSessions, sessionLimits } from './sessions.ts';
import type { SessionLimits } from './sessions.ts';
import { connectUpstream } from './upstream.ts';
import type { Upstream } from './upstream.ts';

/** A server that has not answered `initialize` by then will not. */
const handshakeMs = 60_000;
/** How long one request waits for the handshake. */
const requestWaitMs = 10_000;

/**
 * Serves a stdio program over HTTP. One child answers all clients, over one upstream session, with a forwarding
 * server per request; with isolation "session" each legacy client that initializes gets a session and a child of
 * its own instead, and the one child is for the modern clients, which have no sessions, and for the probe.
 * Throws Misconfigured when there is nothing to start.
 */
export function startStdio(
  { assignment, log, conceal, notify }: ProgramContext,
  limits: SessionLimits = sessionLimits,
): Program {
  const { command, secrets, attempt } = assignment;
  if (command === null) throw new Misconfigured('A stdio instance needs spec.config.command or spec.config.package.');
  const isolated = assignment.config['isolation'] === 'session';
  const start = () => startChild({ command, secrets, attempt, conceal, scope: isolated ? randomUUID() : null });
  const isModern = () => connected.then(() => upstream?.client.getProtocolEra() === 'modern');
  const sessions = isolated ? createSessions({ start, isModern }, log, limits) : null;
  const child = start();
  const { name } = child;
  const waiting: Waiting = new Set();
  const logging: Forwarding['logging'] = { level: null };
  let upstream: Upstream | null = null;
  let failure: string | null = null;
  let gone: string | null = null;

  const ended = child.ended
    .then(
      (end): ProgramEnd => ({ reason: 'child-exited', message: child.describe(end), child: end }),
      (error: Error): ProgramEnd => ({ reason: 'misconfigured', message: error.message }),
    )
    .then(end => {
      gone = end.message;
      return end;
    });
  const trouble = () => {
    const silent = `"${name}" has not answered initialize: is it an MCP server that speaks over stdin and stdout?`;
    return gone ?? failure ?? (upstream === null ? silent : null);
  };
  const connect = async () => {
    try {
      upstream = await connectUpstream(child.process, ended, handshakeMs);
      passOn(upstream, notify, waiting);
      log.info({ server: upstream.info.name, version: upstream.info.version }, 'upstream ready');
    } catch (error) {
      failure = conceal(`"${name}" does not speak MCP: ${error instanceof Error ? error.message : String(error)}`);
      log.warn({}, failure);
    }
  };
  const connected = connect();
  // A child without stdout can answer nothing, even if it goes on running.
  child.process.stdout?.once('end', () => setTimeout(() => void child.stop(1000), 1000).unref());

  return {
    ended,
    trouble,
    kill: () => killDescendants(attempt),
    async stop(graceMs) {
      await Promise.all([child.stop(graceMs), sessions?.stop(graceMs)]);
      await endDescendants(attempt);
    },
    ...(sessions !== null && { serveLegacy: (exchange: LegacyExchange) => serveSession(sessions, exchange, log) }),
    async createServer(era) {
      if (upstream === null) await Promise.race([connected, ended, wait(requestWaitMs)]);
      const problem = trouble();
      if (problem !== null || upstream === null) throw new Unavailable(problem ?? 'The server is not ready.');
      const forwarding: Forwarding = { upstream, waiting, logging, ended: () => gone };
      return createForwarder(forwarding, era);
    },
  };
}

/** What the child says without being asked goes to whoever may want to hear it. */
function passOn({ client }: Upstream, notify: ProgramContext['notify'], waiting: Waiting): void {
  client.setNotificationHandler('notifications/tools/list_changed', () => notify.toolsChanged());
  client.setNotificationHandler('notifications/prompts/list_changed', () => notify.promptsChanged());
  client.setNotificationHandler('notifications/resources/list_changed', () => notify.resourcesChanged());
  client.setNotificationHandler('notifications/message', ({ params }) => {
    // Nothing says which request a log line belongs to; all that wait have the same token.
    for (const { mcpReq } of waiting) mcpReq.log(params.level, params.data, params.logger).catch(() => {});
  });
}

function wait(ms: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, ms).unref();
  });
}
