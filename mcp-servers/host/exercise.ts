import { randomUUID } from 'node:crypto';
import { Server } from '@modelcontextprotocol/server';
import { assignment } from '../../specs/assignment.ts';
import { createExchanges } from './exchange.ts';
import { createConceal, createLog } from './log.ts';
import { createMcp } from './mcp.ts';
import type { Program, StartProgram } from './program.ts';
import { servers } from './servers.ts';

const protocolVersion = '2026-07-28';
const envelope = {
  _meta: {
    'io.modelcontextprotocol/protocolVersion': protocolVersion,
    'io.modelcontextprotocol/clientCapabilities': {},
  },
};
const clientInfo = { name: 'exercise', version: '1' };

/** What clients begin with, in both eras. */
const openings = [
  { method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo } },
  { method: 'tools/list' },
  { method: 'server/discover', params: envelope },
  { method: 'tools/list', params: envelope },
];

/** Key values with which the vendors' servers start: none of them asks the vendor before its first call. */
const rehearsals: ReadonlyMap<string, Record<string, string>> = new Map([
  ['github', { token: '-' }],
  ['figma', { token: '-' }],
  ['gmail', { clientId: '-', clientSecret: '-', refreshToken: '-' }],
]);

/**
 * Does once what a host does for its first client, against servers that reach nobody: after it everything is
 * loaded and compiled. For a host that waits, and for the snapshots. Throws when a server does not answer.
 */
export async function exercise(): Promise<void> {
  for (const [type, load] of servers) {
    const start = await load();
    const secrets = rehearsals.get(type);
    await rehearse(type, secrets === undefined ? startNothing : start, secrets ?? {});
  }
}

async function rehearse(type: string, start: StartProgram, secrets: Record<string, string>): Promise<void> {
  const log = createLog('silent');
  const uid = randomUUID();
  const rehearsed = assignment.parse({
    instance: { uid, name: 'exercise' },
    attempt: uid,
    node: '',
    type,
    config: {},
    secrets,
    upstreamUrl: null,
    tokenUrl: null,
    command: null,
    tokenHash: '0'.repeat(64),
    controlTokenHash: '0'.repeat(64),
    expiresAt: null,
    remainingMs: null,
    monotonicMs: 0,
    host: '127.0.0.1',
    port: 1,
    runDirectory: '/',
    logLevel: 'silent',
  });
  const started = Promise.withResolvers<Program>();
  const mcp = createMcp(started.promise, createExchanges(log), log);
  started.resolve(start({ assignment: rehearsed, log, conceal: createConceal([]), notify: mcp.notify }));
  for (const opening of openings) {
    const problem = await mcp.ask(opening, 'params' in opening && opening.params === envelope ? protocolVersion : null);
    if (problem !== null) throw new Error(`exercise of ${opening.method} as ${type}: ${problem}`);
  }
}

/** In place of a server that would start a program. */
function startNothing(): Program {
  return {
    createServer() {
      const server = new Server({ name: 'exercise', version: '1' }, { capabilities: { tools: {} } });
      server.setRequestHandler('tools/list', () => ({ tools: [] }));
      return server;
    },
    trouble: () => null,
    ended: new Promise(() => {}),
    stop: async () => {},
    kill: () => {},
  };
}
