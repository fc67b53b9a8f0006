import { chmod, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { Pool } from '../db/pool.ts';
import { writeAdminToken } from '../db/tokens.ts';
import { MiniMcpError } from '../errors.ts';
import { generateToken, hashToken, isToken } from './api-token.ts';
import { secureDataDirectory } from './data-directory.ts';
import { createPrivateFile, readPrivateFile } from './private-file.ts';

/** Where the admin token is kept. */
export function adminTokenFile(config: Pick<Config, 'dataDir'>): string {
  return join(config.dataDir, 'admin.token');
}

/**
 * Makes the admin token on the first start and makes sure that the database knows it, also a new database
 * beside an old file. The data directory becomes private. Answers the token.
 * Throws `AdminTokenInvalid` when the file holds something else, `DataDirectoryUnsafe`, or what reading a private
 * file throws.
 */
export async function ensureAdminToken(pool: Pool, config: Pick<Config, 'dataDir' | 'node'>): Promise<string> {
  await secureDataDirectory(config.dataDir);
  const { mode } = await stat(config.dataDir);
  // The group keeps its way through: the embedded database may run as another user of that group.
  if ((mode & 0o067) !== 0) await chmod(config.dataDir, mode & 0o710);
  const path = adminTokenFile(config);
  const content = (await readPrivateFile(path)) ?? (await makeFile(path));
  const token = content.toString().trim();
  if (!isToken('mmcp_', token)) {
    throw new MiniMcpError('AdminTokenInvalid', `${path} does not hold a token of MiniMCP`, {
      hint: 'Put the right file back, or remove it: the next start makes a new token',
    });
  }
  await writeAdminToken(pool, `admin@${config.node}`, hashToken(token));
  return token;
}

async function makeFile(path: string): Promise<Buffer> {
  await createPrivateFile(path, `${generateToken('mmcp_')}\n`);
  const made = await readPrivateFile(path);
  if (made === null) throw new MiniMcpError('AdminTokenInvalid', `${path} was removed while MiniMCP started`);
  return made;
}
