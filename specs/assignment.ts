import { z } from 'zod';
import { message, toMessage } from './message.ts';

/**
 * What the runtime hands to a host over the IPC channel, together with the listening socket.
 * The one place where secrets travel: never in argv, never in the environment of a host.
 */
export const assignment = z.object({
  instance: z.object({ uid: z.uuid(), name: z.string() }),
  attempt: z.uuid(),
  node: z.string(),
  type: z.string().describe('Which server the host loads: github, stdio, …'),
  config: z.record(z.string(), z.unknown()).describe('spec.config, already checked and with defaults'),
  secrets: z.record(z.string(), z.string()).describe("The api key's values; empty without a key"),
  conceal: z.array(z.string()).optional().describe('What else is secret: parts of the values in secrets'),
  upstreamUrl: z.string().nullable().describe("The vendor API's base URL where the installation overrides it"),
  tokenUrl: z.string().nullable().default(null).describe('gmail: where tokens are exchanged, where overridden'),
  command: z
    .object({ argv: z.array(z.string()).min(1), env: z.record(z.string(), z.string()), cwd: z.string() })
    .nullable()
    .describe('stdio only: the resolved program, its whole environment without secrets, an absolute cwd'),
  tokenHash: z.string().length(64).describe('SHA-256 (hex) of the instance token that clients present'),
  controlTokenHash: z.string().length(64).describe('SHA-256 (hex) of the token the controllers present'),
  expiresAt: z.iso.datetime().nullable(),
  remainingMs: z.number().nullable().describe("expiresAt less the database's now() when this was read; null = never"),
  monotonicMs: z
    .number()
    .describe(
      "The machine's monotonic clock (process.hrtime, ms) at the moment remainingMs was true; null lease ignores it",
    ),
  host: z.string().describe('The address the socket is bound to'),
  port: z.int(),
  runDirectory: z.string().describe('Absolute; the host writes identity.json and exit.json here'),
  logLevel: z.string(),
});
export type Assignment = z.infer<typeof assignment>;

/** Controller → host over IPC. `connection` comes with a socket that was accepted before the hand-over. */
export type HostInput = { kind: 'assignment'; assignment: Assignment } | { kind: 'connection' };

/** Host → controller over IPC. After `accepted` the host no longer needs the channel. */
export type HostOutput = { kind: 'accepted' };

/** `identity.json`: written by the host when it has accepted; the proof that it will live without a channel. */
export const hostIdentity = z.object({ attempt: z.uuid(), pid: z.int(), startTime: z.string(), bootId: z.string() });
export type HostIdentity = z.infer<typeof hostIdentity>;

/** Why a host ended by itself. `lease` is no failure: the time was up. */
export const hostExitReasons = ['lease', 'drained', 'misconfigured', 'child-exited', 'unassigned', 'crashed'] as const;

/** `exit.json`: the host's last words, for a controller that was not its parent. */
export const hostExit = z.object({
  attempt: z.uuid(),
  code: z.int(),
  reason: z.enum(hostExitReasons),
  message,
  child: z
    .object({ code: z.int().nullable(), signal: z.string().nullable() })
    .nullable()
    .default(null)
    .describe("How the host's own child ended; only with child-exited"),
});
export type HostExit = z.infer<typeof hostExit>;

/** The host's exit status for each reason. */
export const hostExitCodes: Record<HostExit['reason'], number> = {
  lease: 0,
  drained: 0,
  'child-exited': 70,
  crashed: 71,
  unassigned: 75,
  misconfigured: 78,
};

/** One tool of a server, with a hash over everything it says of itself. */
export const toolHash = z.object({ name: z.string().max(256).transform(toMessage), hash: z.string().max(64) });
export type ToolHash = z.infer<typeof toolHash>;

/** `GET /healthz` with the control token; without it the answer is `{"ok":true}` alone. */
export const hostHealth = z.object({
  ok: z.boolean().describe('The MCP server answered a request made inside the host'),
  message: message.describe('Why not, when ok is false'),
  instance: z.uuid(),
  attempt: z.uuid(),
  expiresAt: z.iso.datetime().nullable(),
  tokenHash: z.string(),
  requests: z.int(),
  inFlight: z.int(),
  lastAccessedMsAgo: z.number().nullable(),
  toolsHash: z
    .string()
    .max(64)
    .nullable()
    .default(null)
    .describe('SHA-256 (hex) over the list of tools; null until it was read, or where it cannot be'),
  tools: z.array(toolHash).optional().describe('With ?tools=1: the tools that toolsHash is made of, by name'),
});
export type HostHealth = z.infer<typeof hostHealth>;

/** `PUT /control/lease` with the control token, from loopback: what an extension or a token rotation changes. */
export const hostLease = z.strictObject({
  tokenHash: z.string().length(64),
  expiresAt: z.iso.datetime().nullable(),
  remainingMs: z.number().nullable(),
  monotonicMs: z.number().optional().describe('As in the assignment; without it remainingMs counts from the receipt'),
});
export type HostLease = z.infer<typeof hostLease>;
