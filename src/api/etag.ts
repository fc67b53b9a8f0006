import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Instance } from '../../specs/instance.ts';
import type { InstanceRow } from '../db/instances.ts';
import { ApiProblem } from './problem.ts';

/** Answers an instance with its version as ETag. */
export function replyInstance(reply: FastifyReply, status: number, instance: Instance): FastifyReply {
  return reply.code(status).header('etag', `"${instance.metadata.resourceVersion}"`).send(instance);
}

/** The opaque tags of an If-Match or If-None-Match header, without quotes; null without the header. */
export function readTags(header: string | undefined): string[] | null {
  if (header === undefined) return null;
  return header.split(',').map(tag => /^\s*(?:W\/)?"?(.*?)"?\s*$/.exec(tag)![1]!);
}

/**
 * Holds If-Match against the desired state: who read the instance and writes it back conflicts with those
 * who wrote in between, not with controllers that only reported. Throws 412.
 */
export function requireMatch(request: FastifyRequest, row: InstanceRow | null): void {
  const tags = readTags(request.headers['if-match']);
  if (tags === null) return;
  if (row === null) throw new ApiProblem('PreconditionFailed', 'the instance does not exist');
  if (tags.includes('*') || tags.some(tag => /^\d{1,15}$/.test(tag) && row.desired_version <= Number(tag))) return;
  throw new ApiProblem('PreconditionFailed', 'the instance was changed since; read it again and repeat the change');
}

/** Whether `If-None-Match: *` asks for creation only. Throws 400 for anything else in it. */
export function isCreateOnly(request: FastifyRequest): boolean {
  const tags = readTags(request.headers['if-none-match']);
  if (tags === null) return false;
  if (tags.length === 1 && tags[0] === '*') return true;
  throw new ApiProblem('InvalidRequest', 'If-None-Match on PUT takes * alone', {
    errors: [{ pointer: 'If-None-Match', message: 'must be *' }],
  });
}

/** Whether the reader has this version already. */
export function isUnchanged(request: FastifyRequest, instance: Instance): boolean {
  const tags = readTags(request.headers['if-none-match']);
  return tags !== null && (tags.includes('*') || tags.includes(instance.metadata.resourceVersion));
}
