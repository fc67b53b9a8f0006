import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import { MiniMcpError } from '../errors.ts';
import { secureDataDirectory } from './data-directory.ts';
import { createPrivateFile, readPrivateFile } from './private-file.ts';

export const masterKeyBytes = 32;

/**
 * The key-encryption key: 32 random bytes in a file of mode 0600, made on the first start.
 *
 * `isNeeded` tells whether something in the database is already sealed under a master key: then a missing
 * file is never replaced by a new one, because that would only hide that the old one is lost.
 * Throws `MasterKeyMissing`, `MasterKeyInvalid`, `DataDirectoryUnsafe`, or what reading a private file throws.
 */
export async function loadMasterKey(path: string, isNeeded: () => Promise<boolean>): Promise<Buffer> {
  // An administrator may keep it in a directory such as /etc/minimcp.
  await secureDataDirectory(dirname(path), { orRoot: true });
  const present = await readMasterKey(path);
  if (present !== null) return present;
  if (await isNeeded()) {
    // Another process may have made the file and sealed with it since the first look.
    const late = await readMasterKey(path);
    if (late !== null) return late;
    throw new MiniMcpError('MasterKeyMissing', `the database holds secrets, but their master key ${path} is missing`, {
      hint: 'Put the file back, or name it with MINIMCP_MASTER_KEY_FILE',
    });
  }
  await createPrivateFile(path, randomBytes(masterKeyBytes));
  const made = await readMasterKey(path);
  if (made === null) throw new MiniMcpError('MasterKeyMissing', `${path} was removed while MiniMCP started`);
  return made;
}

async function readMasterKey(path: string): Promise<Buffer | null> {
  const content = await readPrivateFile(path);
  if (content === null || content.length === masterKeyBytes) return content;
  throw new MiniMcpError(
    'MasterKeyInvalid',
    `${path} has ${content.length} bytes, a master key has ${masterKeyBytes}`,
    {
      hint: 'Put the right file back, or name it with MINIMCP_MASTER_KEY_FILE',
    },
  );
}
