import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { MiniMcpError } from './errors.ts';
import { readNodeName } from './node-name.ts';

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

export interface Config {
  readonly dataDir: string;
  readonly databaseUrl: string | null;
  readonly databaseReadUrl: string | null;
  readonly apiHost: string;
  readonly apiPort: number;
  readonly diagnosticsPort: number;
  readonly gatewayPort: number;
  readonly instanceHost: string;
  readonly portRange: PortRange;
  readonly node: string;
  readonly masterKeyFile: string;
  /** Vendor API base URLs by server type, where the environment overrides them. */
  readonly upstreamUrls: Readonly<Record<string, string>>;
  readonly googleTokenUrl: string | null;
  readonly logLevel: string;
  readonly runtime: 'builtin' | 'systemd' | 'pm2';
}

const port = z.coerce.number({ error: 'must be a port number' }).int().min(1).max(65_535);
const url = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' });
// Not z.url: a server on a Unix socket has no host before the path.
const postgresUrl = z.string().regex(/^postgres(ql)?:\/\/\S+$/, 'must be a postgresql:// URL');
const address = z
  .string()
  .refine(host => host === 'localhost' || isIP(host) !== 0, 'must be an IP address or "localhost"');

const portRange = z
  .string()
  .regex(/^\d+-\d+$/, 'must be two ports with "-" between them, such as "3001-4999"')
  .transform(text => {
    const [from = 0, to = 0] = text.split('-').map(Number);
    return { from, to };
  })
  .refine(
    range => range.from >= 1 && range.from <= range.to && range.to <= 65_535,
    'must be ports from low to high, 1 to 65535',
  );

const environment = z.object({
  MINIMCP_DATA_DIR: z.string().min(1).default('.minimcp'),
  DATABASE_URL: postgresUrl.optional(),
  DATABASE_READ_URL: postgresUrl.optional(),
  MINIMCP_API_HOST: address.default('127.0.0.1'),
  MINIMCP_API_PORT: port.default(5000),
  MINIMCP_DIAGNOSTICS_PORT: port.default(5001),
  MINIMCP_GATEWAY_PORT: port.default(5002),
  MINIMCP_INSTANCE_HOST: address.default('127.0.0.1'),
  MINIMCP_PORT_RANGE: portRange.default({ from: 3001, to: 4999 }),
  MINIMCP_NODE: z
    .string()
    .regex(/^[A-Za-z0-9]([-._A-Za-z0-9]{0,251}[A-Za-z0-9])?$/, 'must be a host name')
    .optional(),
  MINIMCP_MASTER_KEY_FILE: z.string().min(1).optional(),
  MINIMCP_GITHUB_API_URL: url.optional(),
  MINIMCP_FIGMA_API_URL: url.optional(),
  MINIMCP_GMAIL_API_URL: url.optional(),
  MINIMCP_GOOGLE_TOKEN_URL: url.optional(),
  MINIMCP_LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      error: 'must be trace, debug, info, warn, error, fatal or silent',
    })
    .default('info'),
  MINIMCP_RUNTIME: z
    .enum(['builtin', 'systemd', 'pm2'], { error: 'must be builtin, systemd or pm2' })
    .default('builtin'),
});

/**
 * Reads the configuration from an environment. An empty variable counts as unset.
 * Throws `ConfigInvalid`, naming each wrong variable and what it accepts.
 */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = environment.safeParse(given);
  if (!parsed.success) {
    const lines = parsed.error.issues.map(issue => `${issue.path.join('.')} ${issue.message}`);
    throw new MiniMcpError('ConfigInvalid', lines.join('; '));
  }
  const e = parsed.data;
  refuseEphemeral(e.MINIMCP_PORT_RANGE, ephemeralRange());
  const dataDir = resolve(e.MINIMCP_DATA_DIR);
  const upstream = { github: e.MINIMCP_GITHUB_API_URL, figma: e.MINIMCP_FIGMA_API_URL, gmail: e.MINIMCP_GMAIL_API_URL };
  return {
    dataDir,
    databaseUrl: e.DATABASE_URL ?? null,
    databaseReadUrl: e.DATABASE_READ_URL ?? null,
    apiHost: e.MINIMCP_API_HOST,
    apiPort: e.MINIMCP_API_PORT,
    diagnosticsPort: e.MINIMCP_DIAGNOSTICS_PORT,
    gatewayPort: e.MINIMCP_GATEWAY_PORT,
    instanceHost: e.MINIMCP_INSTANCE_HOST,
    portRange: e.MINIMCP_PORT_RANGE,
    node: e.MINIMCP_NODE ?? readNodeName(dataDir) ?? hostname(),
    masterKeyFile: e.MINIMCP_MASTER_KEY_FILE ? resolve(e.MINIMCP_MASTER_KEY_FILE) : join(dataDir, 'master.key'),
    upstreamUrls: Object.fromEntries(
      Object.entries(upstream).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
    googleTokenUrl: e.MINIMCP_GOOGLE_TOKEN_URL ?? null,
    logLevel: e.MINIMCP_LOG_LEVEL,
    runtime: e.MINIMCP_RUNTIME,
  };
}

/**
 * Refuses a port range inside the kernel's ephemeral one: there any client may sit on an instance's
 * port, and a probe of a free port can connect to itself.
 */
export function refuseEphemeral(range: PortRange, ephemeral: PortRange | null): void {
  if (ephemeral === null || range.to < ephemeral.from || range.from > ephemeral.to) return;
  throw new MiniMcpError(
    'ConfigInvalid',
    `MINIMCP_PORT_RANGE ${range.from}-${range.to} overlaps the kernel's ephemeral ports ${ephemeral.from}-${ephemeral.to}; choose a range below or above them`,
  );
}

function ephemeralRange(): PortRange | null {
  try {
    const [from, to] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/).map(Number);
    return from && to ? { from, to } : null;
  } catch {
    return null;
  }
}
