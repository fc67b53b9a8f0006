import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { hostLease } from '../../specs/assignment.ts';
import type { HostHealth, HostLease } from '../../specs/assignment.ts';
import { bearerToken, guardHost, isOwnMachine, originAllowed, tokenMatches } from './access.ts';
import type { Peers } from './peers.ts';
import { readBody, writeFinalJson, writeJson } from './web.ts';

const largestControlBody = 64 * 1024;
const notAllowed = { error: 'Method not allowed.' };

/** A server whose limits keep slow or silent peers from holding it, and leave answers as long as they take. */
export function createHttpServer(): Server {
  return createServer({
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    connectionsCheckingInterval: 10_000,
    // Longer than the controllers' pause between two probes, which share a connection.
    keepAliveTimeout: 75_000,
  });
}

export interface EndpointPolicy {
  readonly host: string;
  readonly port: number;
  readonly controlTokenHash: string;
  readonly peers: Peers;
  readonly lease: { readonly terms: HostLease; readonly over: boolean };
  /** False from the moment it drains. */
  accepting(): boolean;
  serveMcp(request: IncomingMessage, response: ServerResponse, tokenHash: string): Promise<void>;
  denied(status: number): void;
  /** With the tools one by one, where asked for. */
  health(withTools: boolean): Promise<HostHealth>;
  renew(lease: HostLease): void;
  drain(): void;
}

type Handle = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void;

/**
 * Every request passes the same guards in this order: may this page or name reach us at all (403), does the
 * path exist (404, so that nobody finds OAuth here), is this the token (401), does the lease last (401).
 */
export function createEndpoint(policy: EndpointPolicy): Handle {
  const hostAllowed = guardHost(policy.host, policy.port);
  const routes = new Map<string, Handle>([
    ['/mcp', (request, response) => serveMcp(policy, request, response)],
    ['/healthz', (request, response) => serveHealth(policy, request, response)],
    ['/control/lease', (request, response) => serveLease(policy, request, response)],
    ['/control/drain', (request, response) => serveDrain(policy, request, response)],
  ]);
  return (request, response) => {
    if (!hostAllowed(request.headers.host)) {
      return refuse(policy, request, response, 403, 'This Host is not served here.');
    }
    if (!originAllowed(request.headers.origin)) {
      return refuse(policy, request, response, 403, 'This Origin is not served here.');
    }
    const route = routes.get(request.url?.split('?', 1)[0] ?? '');
    if (route === undefined) return refuse(policy, request, response, 404, 'Not found. MCP is at /mcp.');
    return route(request, response);
  };
}

function serveMcp(policy: EndpointPolicy, request: IncomingMessage, response: ServerResponse) {
  const { lease } = policy;
  if (!shows(policy, request, lease.terms.tokenHash)) {
    const hint =
      'Send this instance\'s token as "Authorization: Bearer <token>"; GET /api/v1/mcps/<name>/access of MiniMCP shows it.';
    return refuse(policy, request, response, 401, hint);
  }
  if (lease.over) return refuse(policy, request, response, 401, 'The lease of this instance is over.');
  if (!policy.accepting()) return refuse(policy, request, response, 503, 'This instance is being stopped.');
  return policy.serveMcp(request, response, lease.terms.tokenHash);
}

async function serveHealth(policy: EndpointPolicy, request: IncomingMessage, response: ServerResponse) {
  const proven = shows(policy, request, policy.controlTokenHash);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    answer(policy, request, response, 405, notAllowed, { allow: 'GET' });
  } else if (proven) {
    writeJson(response, 200, await policy.health(request.url?.endsWith('?tools=1') === true));
  } else {
    answer(policy, request, response, 200, { ok: true });
  }
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
    refuse(policy, request, response, 403, 'Control is for this machine alone.');
  } else if (!shows(policy, request, policy.controlTokenHash)) {
    refuse(policy, request, response, 401, 'Control needs the control token.');
  } else if (request.method !== method) {
    writeJson(response, 405, notAllowed, { allow: method });
  } else {
    return true;
  }
  return false;
}

/** Whether the request has this token. A connection that has shown one may stay. */
function shows(policy: EndpointPolicy, request: IncomingMessage, sha256Hex: string): boolean {
  if (!tokenMatches(bearerToken(request.headers.authorization), sha256Hex)) return false;
  policy.peers.prove(request.socket);
  return true;
}

function refuse(
  policy: EndpointPolicy,
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  error: string,
): void {
  if (status !== 404) policy.denied(status);
  const challenge = status === 401 ? { 'www-authenticate': 'Bearer' } : {};
  if (status === 503) writeFinalJson(request, response, status, { error });
  else answer(policy, request, response, status, { error }, challenge);
}

/** For an answer that needs no token. Who never showed one has to connect again for another. */
function answer(
  policy: EndpointPolicy,
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  body: object,
  headers: Record<string, string> = {},
): void {
  // Node itself reads and drops a body that was not asked for, so that the connection stays good.
  if (policy.peers.isProven(request.socket)) writeJson(response, status, body, headers);
  else writeFinalJson(request, response, status, body, headers);
}

function issueText(issue: { path: PropertyKey[]; message: string }): string {
  return `${issue.path.join('.')}: ${issue.message}`;
}
