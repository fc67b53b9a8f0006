/**
 * For `node --import`: the host that starts next has stdio sessions with the limits in SESSION_LIMITS (JSON), for
 * tests that cannot wait for the usual ones.
 */
import type { StartProgram } from '../../mcp-servers/host/program.ts';
import { servers } from '../../mcp-servers/host/servers.ts';
import { sessionLimits } from '../../mcp-servers/stdio/sessions.ts';
import type { SessionLimits } from '../../mcp-servers/stdio/sessions.ts';
import { startStdio } from '../../mcp-servers/stdio/stdio.ts';

const given = JSON.parse(process.env['SESSION_LIMITS'] ?? '{}') as Partial<SessionLimits>;
const start: StartProgram = context => startStdio(context, { ...sessionLimits, ...given });
(servers as Map<string, () => Promise<StartProgram>>).set('stdio', () => Promise.resolve(start));
