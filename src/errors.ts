/**
 * An error with a stable code for machines and, where there is one, a sentence on what to do next.
 * `code` is CamelCase and never changes; `message` may.
 */
export class MiniMcpError extends Error {
  readonly code: string;
  readonly hint: string | undefined;

  constructor(code: string, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'MiniMcpError';
    this.code = code;
    this.hint = options.hint;
  }
}

/** The message of whatever was thrown. */
export function errorMessage(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(errorMessage).join('; ');
  return error instanceof Error ? error.message : String(error);
}
