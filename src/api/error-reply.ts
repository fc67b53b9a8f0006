import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { isOutage } from '../db/outage.ts';
import { bodyLimitBytes } from './body.ts';
import { ApiProblem, problemKinds, problemType } from './problem.ts';

/** Answers whatever was thrown as a problem document; what nobody foresaw is logged and tells nothing. */
export function replyProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = toProblem(error);
  const [status, title] = problemKinds[problem.code];
  if (status >= 500) {
    const { message, stack, code } = error as Partial<FastifyError>;
    // Chosen fields only: errors of PostgreSQL carry pieces of rows in their details.
    request.log.error({ requestId: request.id, code, err: { message, stack } }, `${request.method} failed`);
  }
  return reply
    .code(status)
    .headers(problem.headers)
    .type('application/problem+json')
    .send({
      type: problemType(problem.code),
      title,
      status,
      detail: problem.message,
      ...(problem.errors.length > 0 ? { errors: problem.errors } : {}),
      requestId: request.id,
    });
}

function toProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  if (isOutage(error)) {
    return new ApiProblem('DatabaseUnavailable', 'the database gave no answer; try again in a moment', {
      headers: { 'retry-after': '2' },
    });
  }
  const { code, statusCode } = error as Partial<FastifyError>;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new ApiProblem('BodyTooLarge', `a body has at most ${bodyLimitBytes} bytes`);
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new ApiProblem('UnsupportedMediaType', 'send the body as application/json');
  }
  if (code?.startsWith('FST_ERR_') === true && statusCode !== undefined && statusCode < 500) {
    return new ApiProblem('InvalidRequest', 'the URL, a header or the body is malformed');
  }
  return new ApiProblem('InternalError', 'this is a fault of MiniMCP; its log has more under the requestId');
}

const malformedGraceMs = 1_000;

/** For bytes that are no HTTP request: nobody parsed them, so the answer is written by hand. */
export function replyMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const statuses: Record<string, number> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };
  const status = statuses[error.code ?? ''] ?? 400;
  const body = JSON.stringify({
    type: 'urn:minimcp:problem:malformed-http',
    title: 'The request is not HTTP',
    status,
    detail: `${STATUS_CODES[status]}; the connection is closed`,
    requestId: '',
  });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
  // Who does not close does not keep the connection.
  setTimeout(() => socket.destroy(), malformedGraceMs).unref();
}
