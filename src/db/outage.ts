// Classes and codes of SQLSTATE that say: not now. The statement may be right.
const sqlStates = /^(08|57P0[1-5]$|53|25006$|40001$|40P01$|55P03$|58030$)/;
const network = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);
// What node-postgres says without a code.
const sentences =
  /^(Connection terminated|Client has encountered a connection error|timeout exceeded when trying to connect|timeout expired|Query read timeout|Cannot use a pool after calling end)/;

/** Whether an error of a statement means that the database is away, busy or failing over, not that we erred. */
export function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof AggregateError) return error.errors.some(isOutage);
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  // A Unix socket that is not there, and no other missing file.
  if (code === 'ENOENT') return syscall === 'connect';
  if (typeof code === 'string') return sqlStates.test(code) || network.has(code);
  return sentences.test(error.message);
}
