import { timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { Pool } from '../db/pool.ts';
import { readTokenByHash, touchToken } from '../db/tokens.ts';
import type { Scope } from '../db/tokens.ts';
import { errorMessage } from '../errors.ts';
import { hashToken, isToken } from '../secrets/api-token.ts';
import type { Caller } from './context.ts';
import { ApiProblem } from './problem.ts';

/**
 * Who asks, by bearer token. Nothing is remembered between requests, so a token that was deleted or has
 * expired is refused at once by every process. Throws 401, or 403 without the route's scope.
 */
export async function authenticate(pool: Pool, request: FastifyRequest): Promise<Caller> {
  const token = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (token === undefined) throw unauthenticated('send "Authorization: Bearer <token>"');
  // Noise and typing errors cost no query.
  if (!isToken('mmcp_', token)) throw unauthenticated('this is not a token of MiniMCP');
  const hash = hashToken(token);
  const row = await readTokenByHash(pool, hash);
  if (row === null || !timingSafeEqual(row.hash, hash)) throw unauthenticated('the token is unknown or has expired');
  if (row.use_is_stale) {
    touchToken(pool, row.id).catch((error: unknown) => {
      request.log.debug(`the use of a token was not noted: ${errorMessage(error)}`);
    });
  }
  requireScope(row.scopes, request.routeOptions.config.scope);
  return { tokenId: row.id, name: row.name, scopes: row.scopes };
}

function requireScope(scopes: readonly Scope[], needed: Scope | 'public' | undefined): void {
  if (needed === undefined || needed === 'public' || scopes.includes(needed) || scopes.includes('admin')) return;
  throw new ApiProblem('MissingScope', `the token has ${scopes.join(', ')}; this needs ${needed}`);
}

function unauthenticated(detail: string): ApiProblem {
  return new ApiProblem('Unauthenticated', `${detail}; the first one is in admin.token of the data directory`, {
    headers: { 'www-authenticate': 'Bearer realm="minimcp"' },
  });
}
