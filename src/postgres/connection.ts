import { Client } from 'pg';
import { errorMessage, MiniMcpError } from '../errors.ts';
import { databaseName } from './cluster.ts';
import { errorCode } from './errno.ts';

const connectTimeoutMs = 5000;

/** Passing time cures none of these: wrong password, refused user, no such database, closed socket. */
const lasting = new Set(['28P01', '28000', '3D000', 'EACCES']);

/** A URL that `pg`, libpq and WHATWG's URL all read: the socket's directory is where TCP has a host. */
export function connectionUrl(socketDir: string, password: string): string {
  return `postgresql://${databaseName}:${password}@${encodeURIComponent(socketDir)}/${databaseName}`;
}

/**
 * Tries one connection. Undefined when it was made, else why not yet: starting up or shutting down
 * (57P03), no socket, no free connection. SCRAM proves both sides: only a server that knows our password
 * passes. Throws `PostgresConnectFailed` for what waiting does not cure.
 */
export async function connectionProblem(url: string): Promise<string | undefined> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: connectTimeoutMs });
  // A server that stops meanwhile breaks the connection; without a listener that would end this process.
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('select 1');
    return undefined;
  } catch (error) {
    if (!lasting.has(errorCode(error))) return errorMessage(error);
    throw new MiniMcpError('PostgresConnectFailed', `The embedded database refuses us: ${errorMessage(error)}`, {
      hint: 'Its password file or database was changed by hand: restore the data directory, or set DATABASE_URL.',
      cause: error,
    });
  } finally {
    await client.end().catch(() => {});
  }
}
