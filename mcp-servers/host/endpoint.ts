import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { hostLease } from '../../specs/assignment.ts';
import type { HostHealth, HostLease } from '../../specs/assignment.ts';
import { allowedHosts, bearerToken, isOwnMachine, originAllowed, tokenMatches } from './access.ts';
import { readBody, writeJson } from './web.ts';

const largestControlBody = 64 * 1024;

/** A server whose limits keep slow or silent peers from holding it, and leave answers as long as they take. */
export function createHttpServer(): Server {
  const server = createServer({
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    connectionsCheckingInterval: 10_000,
    // Longer than the controllers' pause between two probes, which share a connection.
    keepAliveTimeout: 75_000,
  });
  server.maxConnections = 1024;
  return server;
}

export interface EndpointPolicy {
  readonly host: string;
  readonly port: number;
  readonly controlTokenHash: string;
  readonly lease: { readonly terms: HostLease; readonly over: boolean };
  /** False from the moment it drains. */
  accepting(): boolean;
  serveMcp(request: IncomingMessage, response: ServerResponse, tokenHash: string): Promise<void>;
  denied(status: number): void;
  health(): Promise<HostHealth>;
  renew(lease: HostLease): void;
  drain(): void;
}

type Handle = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void;

/**
 * Every request passes the same guards in this order: may this page or name reach us at all (403), does the
 * path exist (404, so that nobody finds OAuth here), is this the token (401), does the lease last (401).
 */
export function createEndpoint(policy: EndpointPolicy): Handle {
  const hosts = allowedHosts(policy.host, policy.port);
  const routes = new Map<string, Handle>([
    ['/mcp', (request, response) => serveMcp(policy, request, response)],
    ['/healthz', (request, response) => serveHealth(policy, request, response)],
    ['/control/lease', (request, response) => serveLease(policy, request, response)],
    ['/control/drain', (request, response) => serveDrain(policy, request, response)],
  ]);
  return (request, response) => {
    if (!hosts.has(request.headers.host?.toLowerCase() ?? '')) {
      return refuse(policy, response, 403, 'This Host is not served here.');
    }
    if (!originAllowed(request.headers.origin)) {
      return refuse(policy, response, 403, 'This Origin is not served here.');
    }
    const route = routes.get(request.url?.split('?', 1)[0] ?? '');
    if (route === undefined) return refuse(policy, response, 404, 'Not found. MCP is at /mcp.');
    return route(request, response);
  };
}

function serveMcp(policy: EndpointPolicy, request: IncomingMessage, response: ServerResponse) {
  const { lease } = policy;
  if (!tokenMatches(bearerToken(request.headers.authorization), lease.terms.tokenHash)) {
    const hint =
      'Send this instance\'s token as "Authorization: Bearer <token>"; GET /api/v1/mcps/<name>/access of MiniMCP shows it.';
    return refuse(policy, response, 401, hint);
  }
  if (lease.over) return refuse(policy, response, 401, 'The lease of this instance is over.');
  if (!policy.accepting()) return refuse(policy, response, 503, 'This instance is being stopped.');
  return policy.serveMcp(request, response, lease.terms.tokenHash);
}

async function serveHealth(policy: EndpointPolicy, request: IncomingMessage, response: ServerResponse) {
  if (request.method !== 'GET' && request.method !== 'HEAD') return writeNotAllowed(response, 'GET');
  const proven = tokenMatches(bearerToken(request.headers.authorization), policy.controlTokenHash);
  writeJson(response, 200, proven ? await policy.health() : { ok: true });
}

async function serveLease(policy: EndpointPolicy, request: IncomingMessage, response: ServerResponse) {
  if (!mayControl(policy, request, response, 'PUT')) return;
  let body: unknown;
  try {
    body = JSON.parse(await readBody(request, largestControlBody));
  } catch {
    return writeJson(response, 400, { error: 'The body is not JSON.' });
  }
  const lease = hostLease.safeParse(body);
  if (!lease.success) return writeJson(response, 400, { error: lease.error.issues.map(issueText).join('; ') });
  if (policy.lease.over) return writeJson(response, 409, { error: 'The lease is over; this host is ending.' });
  policy.renew(lease.data);
  writeJson(response, 200, { expiresAt: lease.data.expiresAt });
}

function serveDrain(policy: EndpointPolicy, request: IncomingMessage, response: ServerResponse) {
  if (!mayControl(policy, request, response, 'POST')) return;
  writeJson(response, 202, { draining: true }, { connection: 'close' });
  policy.drain();
}

function mayControl(policy: EndpointPolicy, request: IncomingMessage, response: ServerResponse, method: string) {
  if (!isOwnMachine(request.socket)) {
    refuse(policy, response, 403, 'Control is for this machine alone.');
  } else if (!tokenMatches(bearerToken(request.headers.authorization), policy.controlTokenHash)) {
    refuse(policy, response, 401, 'Control needs the control token.');
  } else if (request.method !== method) {
    writeNotAllowed(response, method);
  } else {
    return true;
  }
  return false;
}

/** Node itself reads and drops a body that was not asked for, so that the connection stays good. */
function refuse(policy: EndpointPolicy, response: ServerResponse, status: number, error: string): void {
  if (status !== 404) policy.denied(status);
  writeJson(
    response,
    status,
    { error },
    {
      ...(status === 401 && { 'www-authenticate': 'Bearer' }),
      ...(status === 503 && { connection: 'close' }),
    },
  );
}

function writeNotAllowed(response: ServerResponse, allow: string): void {
  writeJson(response, 405, { error: 'Method not allowed.' }, { allow });
}

function issueText(issue: { path: PropertyKey[]; message: string }): string {
  return `${issue.path.join('.')}: ${issue.message}`;
}
