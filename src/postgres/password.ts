import { randomBytes } from 'node:crypto';
import { open, rename } from 'node:fs/promises';
import { MiniMcpError } from '../errors.ts';
import { openOwnFile } from '../secrets/private-file.ts';
import { unfinishedMark } from './layout.ts';

/**
 * The password of the database user, 192 random bits, kept 0600 beside the cluster. It is on disk before
 * the cluster is made, so a crash in between costs nothing. Throws `PostgresPasswordMissing` when it is
 * gone although the cluster exists, or what `openOwnFile` throws.
 */
export async function providePassword(path: string, clusterExists: boolean): Promise<string> {
  const kept = await openOwnFile(path);
  if (kept !== null) {
    try {
      await kept.chmod(0o600);
      return (await kept.readFile('utf8')).trim();
    } finally {
      await kept.close();
    }
  }
  if (clusterExists) {
    throw new MiniMcpError('PostgresPasswordMissing', `The embedded database's password file ${path} is gone.`, {
      hint: 'Put it back from a backup of the data directory. Without it the database there cannot be opened.',
    });
  }
  const password = randomBytes(24).toString('base64url');
  const unfinished = `${path}${unfinishedMark}${randomBytes(4).toString('hex')}`;
  const file = await open(unfinished, 'wx', 0o600);
  try {
    await file.writeFile(`${password}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(unfinished, path);
  return password;
}
