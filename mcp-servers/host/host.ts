import { hostExitCodes } from '../../specs/assignment.ts';
import type { HostHealth } from '../../specs/assignment.ts';
import { toMessage } from '../../specs/message.ts';
import { createEndpoint, createHttpServer } from './endpoint.ts';
import { createEnding } from './ending.ts';
import type { End } from './ending.ts';
import { createExchanges } from './exchange.ts';
import { exercise } from './exercise.ts';
import { receiveHandover, Unassigned } from './handover.ts';
import { startLease } from './lease.ts';
import { createConceal, createLog, describeError, writeWhole } from './log.ts';
import { createMcp } from './mcp.ts';
import { watchPeers } from './peers.ts';
import { Misconfigured, Unavailable } from './program.ts';
import type { Program, ProgramContext } from './program.ts';
import { readIdentity, writeIdentity } from './run-directory.ts';
import { servers } from './servers.ts';
import { watchTools } from './tools.ts';

/** What an instance is given at its end, by what ends it. Past the lease everything is over within a second. */
const patience = {
  lease: { inFlightMs: 250, stopMs: 250 },
  drained: { inFlightMs: 5000, stopMs: 2000 },
  program: { inFlightMs: 250, stopMs: 500 },
} as const satisfies Record<string, Pick<End, 'inFlightMs' | 'stopMs'>>;

/** A host that has waited this long for its assignment uses the time to warm up. */
const standbyMs = 250;

/** Under the controllers' own limit for a probe. */
const probeMs = 1800;

/**
 * The life of a host: wait for an assignment, serve it, end. Never returns before it serves; what happens
 * after is up to timers, signals and the program.
 */
export async function runHost(argv: readonly string[]): Promise<void> {
  const http = createHttpServer();
  const log = createLog('info');
  const rehearsal = setTimeout(() => {
    exercise().catch((error: unknown) => log.warn(describeError(error), 'exercise failed'));
  }, standbyMs);
  try {
    const attempt = argv[argv.indexOf('--attempt') + 1];
    const handover = await receiveHandover(http, argv.includes('--attempt') ? (attempt ?? null) : null);
    clearTimeout(rehearsal);
    // From the hand-over to the first accepted connection nothing may wait: it would find no handler.
    serve(http, handover);
  } catch (error) {
    log.error(describeError(error), 'host was not assigned');
    // No run directory is known yet, so stderr is the only place for last words.
    writeWhole(2, `${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(error instanceof Unassigned ? hostExitCodes.unassigned : hostExitCodes.crashed);
  }
}

function serve(http: ReturnType<typeof createHttpServer>, handover: Awaited<ReturnType<typeof receiveHandover>>): void {
  const { assignment } = handover;
  const conceal = createConceal([...Object.values(assignment.secrets), ...(assignment.conceal ?? [])]);
  const log = createLog(assignment.logLevel, conceal);
  const exchanges = createExchanges(log);
  const started = Promise.withResolvers<Program>();
  const mcp = createMcp(started.promise, exchanges, log);
  const tools = watchTools(mcp.request, log);
  let program: Program | null = null;
  const ending = createEnding({ assignment, http, exchanges, log, conceal, program: () => program });
  process.on('uncaughtException', error => ending.crash(error));

  const { tokenHash, expiresAt, remainingMs, monotonicMs } = assignment;
  const lease = startLease({ tokenHash, expiresAt, remainingMs, monotonicMs }, () =>
    ending.begin({ reason: 'lease', message: 'The lease is over.', ...patience.lease }),
  );
  const health = async (withTools: boolean): Promise<HostHealth> => {
    const trouble = ending.begun ? 'it is being stopped' : program === null ? 'it is starting' : program.trouble();
    const message = trouble ?? (await mcp.probe(probeMs)) ?? '';
    return {
      ok: message === '',
      message: toMessage(conceal(message)),
      instance: assignment.instance.uid,
      attempt: assignment.attempt,
      expiresAt: lease.terms.expiresAt,
      tokenHash: lease.terms.tokenHash,
      requests: exchanges.answered,
      inFlight: exchanges.inFlight,
      lastAccessedMsAgo: exchanges.lastAccessedMsAgo,
      toolsHash: tools.list?.hash ?? null,
      ...(withTools && tools.list !== null && { tools: [...tools.list.tools] }),
    };
  };
  const drain = () => ending.begin({ reason: 'drained', message: 'It was told to stop.', ...patience.drained });
  const endpoint = createEndpoint({
    host: assignment.host,
    port: assignment.port,
    controlTokenHash: assignment.controlTokenHash,
    peers: watchPeers(http),
    lease,
    accepting: () => !ending.begun,
    serveMcp: mcp.serve,
    denied: exchanges.deny,
    health,
    drain,
    renew(terms) {
      lease.renew(terms);
      exchanges.revoke(terms.tokenHash);
      log.info({ expiresAt: terms.expiresAt }, 'lease renewed');
    },
  });
  http.on('request', (request, response) => {
    Promise.resolve(endpoint(request, response)).catch((error: unknown) => {
      log.error(describeError(error), 'request failed');
      response.destroy();
    });
  });
  // Out of descriptors, say: those that are connected are served on.
  http.on('error', error => log.warn(describeError(error), 'connection not accepted'));
  process.on('SIGTERM', drain);
  process.on('SIGINT', drain);
  process.on('SIGHUP', () => {});
  writeIdentity(assignment.runDirectory, readIdentity(assignment.attempt));
  http.listen(handover.listener);
  handover.accept();

  const start = async () => {
    try {
      program = await startProgram({ assignment, log, conceal, notify: tools.tellingOf(mcp.notify) });
      started.resolve(program);
      tools.refresh();
      ending.begin({ ...(await program.ended), ...patience.program });
    } catch (error) {
      if (!(error instanceof Misconfigured)) return ending.crash(error);
      ending.begin({ reason: 'misconfigured', message: error.message, ...patience.program });
      started.reject(new Unavailable(error.message));
    }
  };
  // Only requests that come meanwhile wait for it; without one a failed start is no unhandled rejection.
  started.promise.catch(() => {});
  void start();
}

async function startProgram(context: ProgramContext): Promise<Program> {
  const { type } = context.assignment;
  const load = servers.get(type);
  if (load === undefined) {
    const known = [...servers.keys()].join(', ');
    throw new Misconfigured(`This host has no server for type "${type}", only for ${known}. Update MiniMCP.`);
  }
  const start = await load();
  return start(context);
}
