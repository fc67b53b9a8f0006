import { open, readFile, realpath } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { z } from 'zod';

const packageJson = z.object({
  bin: z
    .union([z.string(), z.record(z.string(), z.string())])
    .optional()
    .catch(undefined),
});

/** More names than this make a sentence nobody reads. */
const namesTold = 5;

/**
 * The file of the package's one program, or of the one that is named like it. Throws a sentence when there is
 * none that Node can run; what to do instead is for the caller to say.
 */
export async function findEntry(directory: string, name: string): Promise<string> {
  const root = join(directory, 'node_modules', ...name.split('/'));
  const { bin } = packageJson.parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')));
  const short = name.slice(name.indexOf('/') + 1);
  const programs = new Map(typeof bin === 'string' ? [[short, bin]] : Object.entries(bin ?? {}));
  const entry = programs.get(short) ?? (programs.size === 1 ? [...programs.values()][0] : undefined);
  if (entry === undefined) {
    const names = [...programs.keys()].slice(0, namesTold).join(', ');
    const has =
      programs.size === 0
        ? 'no program'
        : `${programs.size} programs (${names}${programs.size > namesTold ? ', …' : ''})`;
    throw new Error(`${name} has ${has}`);
  }
  const file = join(root, entry);
  const problem = await problemOf(file, root);
  if (problem !== null) throw new Error(`The program ${entry} of ${name} ${problem}`);
  return file;
}

/** Why Node cannot run the file, as the end of a sentence; null when nothing speaks against it. */
async function problemOf(file: string, root: string): Promise<string | null> {
  let head: string;
  try {
    if (!(await realpath(file)).startsWith(`${await realpath(root)}${sep}`)) return 'is not within the package';
    head = await readHead(file);
  } catch {
    return 'is not in the package, which is broken or has to be built first';
  }
  const shebang = /^#!\s*(.*)/.exec(head)?.[1];
  if (shebang !== undefined) {
    return /(^|[\s/])node(js)?(\s|$)/.test(shebang) ? null : `is no Node program, but one for "${shebang.trim()}"`;
  }
  if (head.includes('\0')) return 'is a binary, no Node program';
  const kind = extname(file);
  if (/^\.[mc]?tsx?$/.test(kind)) return 'is TypeScript, which Node does not run from a package';
  return kind === '' || /^\.[mc]?js$/.test(kind) ? null : `is no Node program, but a ${kind} file`;
}

async function readHead(file: string): Promise<string> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(512), 0, 512, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await handle.close();
  }
}
