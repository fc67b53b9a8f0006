import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { readIdempotencyKey, reserveIdempotencyKey, storeIdempotentResponse } from '../db/idempotency.ts';
import type { Queryable } from '../db/pool.ts';
import { ApiProblem } from './problem.ts';

export interface Answer<Body> {
  readonly status: number;
  readonly body: Body;
}

/**
 * Does the work once for an Idempotency-Key of this caller, in the transaction of the work; who comes again,
 * or at the same time, gets the first one's answer. A failure is kept for nobody. Throws 422 when the key
 * came with another request before.
 */
export async function answerOnce<Body>(
  tx: Queryable,
  request: FastifyRequest,
  work: () => Promise<Answer<Body>>,
): Promise<Answer<Body> & { readonly isReplay: boolean }> {
  const key = readKey(request);
  if (key === null) return { ...(await work()), isReplay: false };
  const { tokenId } = request.caller!;
  const hash = hashRequest(request);
  if (await reserveIdempotencyKey(tx, tokenId, key, hash)) {
    const answer = await work();
    await storeIdempotentResponse(tx, tokenId, key, answer.status, answer.body);
    return { ...answer, isReplay: false };
  }
  const first = await readIdempotencyKey(tx, tokenId, key);
  if (first === null || first.response_status === null) {
    // Forgotten by cleanup between the two statements.
    throw new ApiProblem('IdempotencyKeyReused', 'the Idempotency-Key has just been forgotten; use a new one');
  }
  if (!first.request_hash.equals(hash)) {
    throw new ApiProblem('IdempotencyKeyReused', 'the Idempotency-Key came with another body before; use a new one');
  }
  return { status: first.response_status, body: first.response_body as Body, isReplay: true };
}

function readKey(request: FastifyRequest): string | null {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return null;
  if (typeof key === 'string' && /^[\x21-\x7e]{1,255}$/.test(key)) return key;
  const message = 'must be 1 to 255 printable ASCII characters without spaces';
  throw new ApiProblem('InvalidRequest', `Idempotency-Key ${message}`, {
    errors: [{ pointer: 'Idempotency-Key', message }],
  });
}

function hashRequest(request: FastifyRequest): Buffer {
  const { method, body, routeOptions } = request;
  return createHash('sha256')
    .update(JSON.stringify([method, routeOptions.url, body]))
    .digest();
}
