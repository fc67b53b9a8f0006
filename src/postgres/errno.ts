/** The code of a system, database or MiniMCP error, such as `ENOENT` or `57P03`; empty where there is none. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** For `.catch`: undefined for errors with one of these codes, all others go on. */
export function ignoring(...codes: string[]): (error: unknown) => undefined {
  return error => {
    if (!codes.includes(errorCode(error))) throw error;
    return undefined;
  };
}
