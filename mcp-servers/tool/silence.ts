/** What a call failed of when there was no answer to explain. */
export interface Reason {
  readonly name?: string;
  readonly message?: string;
  readonly code?: unknown;
}

/** Clients of vendors wrap fetch, which wraps the socket's error: the innermost cause says what happened. */
export function findReason(error: unknown): Reason {
  let reason = error;
  for (let level = 0; level < 10 && reason instanceof Error && reason.cause instanceof Error; level += 1) {
    reason = reason.cause;
  }
  return typeof reason === 'object' && reason !== null ? reason : { message: String(reason) };
}

/** JavaScript's own errors: no network has them, but code that an answer has taken by surprise. */
export function isOwnFault({ name }: Reason): boolean {
  return name !== undefined && ['TypeError', 'RangeError', 'ReferenceError', 'SyntaxError'].includes(name);
}
