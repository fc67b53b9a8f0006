import { randomUUID } from 'node:crypto';
import { assignment } from '../../specs/assignment.ts';
import { createExchanges } from './exchange.ts';
import { createConceal, createLog } from './log.ts';
import { createMcp } from './mcp.ts';
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

/**
 * Does once what a host does for its first client, against a server that reaches nobody: after it everything
 * is loaded and compiled. For a host that waits, and for the snapshot. Throws when a server does not answer.
 */
export async function exercise(): Promise<void> {
  const log = createLog('silent');
  await Promise.all([...servers.values()].map(load => load()));
  const startGithub = await servers.get('github')!();
  const uid = randomUUID();
  const rehearsed = assignment.parse({
    instance: { uid, name: 'exercise' },
    attempt: uid,
    node: '',
    type: 'github',
    config: {},
    secrets: { token: '-' },
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
  const started = Promise.withResolvers<ReturnType<typeof startGithub>>();
  const mcp = createMcp(started.promise, createExchanges(log), log);
  started.resolve(startGithub({ assignment: rehearsed, log, conceal: createConceal([]), notify: mcp.notify }));
  for (const opening of openings) {
    const problem = await mcp.ask(opening, 'params' in opening && opening.params === envelope ? protocolVersion : null);
    if (problem !== null) throw new Error(`exercise of ${opening.method}: ${problem}`);
  }
}
