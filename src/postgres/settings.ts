import { rename, writeFile } from 'node:fs/promises';
import { MiniMcpError } from '../errors.ts';
import { giveTo } from './account.ts';
import type { Account } from './command.ts';
import { unfinishedMark, type Layout } from './layout.ts';

/** Appended to `postgresql.conf` when the cluster is made; what follows is rewritten at every start. */
export const includeLine = "\ninclude_if_exists = 'minimcp.conf'\n";

/** Everyone needs a password, over the socket, and there is no other way in. The superuser has none. */
export const hostBasedAccess = 'local all all scram-sha-256\n';

const fixed = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  cluster_name: 'minimcp',
  max_connections: '100',
  shared_buffers: '128MB',
  max_wal_size: '512MB',
  // No replicas here: those have a server of their own behind DATABASE_URL.
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_logical_replication_workers: '0',
  // Without I/O workers and parallel queries the server is a handful of processes and starts sooner.
  io_method: 'sync',
  max_parallel_workers_per_gather: '0',
  max_parallel_maintenance_workers: '0',
  jit: 'off',
  // Files in the cluster instead of /dev/shm: containers make that tiny, logind empties it at logout,
  // and after a kill -9 nothing stays behind outside the data directory.
  dynamic_shared_memory_type: 'mmap',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // Failed statements go to the client that sent them. Here they could only fill the disk and leak data.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_checkpoints: 'off',
};

/** Writes the server's settings, whole or not at all. `overrides` win. Throws `PostgresSettingInvalid`. */
export async function writeSettings(
  layout: Layout,
  account: Account,
  socketDir: string,
  overrides: Readonly<Record<string, string>>,
): Promise<void> {
  const socketList = `"${socketDir.replaceAll('"', '""')}"`;
  const settings = Object.entries({ ...fixed, unix_socket_directories: socketList, ...overrides });
  const text = settings.map(([name, value]) => `${name} = ${quote(name, value)}\n`).join('');
  const unfinished = `${layout.settings}${unfinishedMark}`;
  await writeFile(unfinished, `# Written by MiniMCP at every start; edit postgresql.conf instead.\n${text}`, {
    mode: 0o600,
  });
  await giveTo(account, unfinished);
  await rename(unfinished, layout.settings);
}

function quote(name: string, value: string): string {
  if (!/^[a-z_][a-z0-9_.]*$/i.test(name) || /[\0\r\n]/.test(value)) {
    throw new MiniMcpError('PostgresSettingInvalid', `Not a server setting: ${JSON.stringify({ [name]: value })}`);
  }
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}
