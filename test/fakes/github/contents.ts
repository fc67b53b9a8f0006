import { createHash } from 'node:crypto';
import { notFound, ok } from './reply.ts';
import type { Call, Reply } from './reply.ts';
import type { ContentDirectory, ContentFile } from './schema.ts';
import type { RepositoryState } from './state.ts';

/** GitHub leaves the content out of the JSON of larger files. */
const largestInline = 1024 * 1024;

/** GET /repos/{owner}/{repo}/contents/{path} */
export function readContents({ files }: RepositoryState, path: string, { accept }: Call): Reply {
  const bytes = files.get(path);
  if (bytes === undefined) return listDirectory(files, path);
  if (accept.includes('raw')) {
    const headers = { 'content-type': 'application/vnd.github.raw+json; charset=utf-8' };
    return { status: 200, body: bytes, headers };
  }
  const inline = bytes.length <= largestInline;
  const file: ContentFile = {
    ...describe(path, bytes),
    type: 'file',
    encoding: inline ? 'base64' : 'none',
    content: inline ? bytes.toString('base64') : '',
  };
  return ok(file);
}

function listDirectory(files: ReadonlyMap<string, Buffer>, path: string): Reply {
  const prefix = path === '' ? '' : `${path}/`;
  const entries = new Map<string, ContentDirectory[number]>();
  for (const [name, bytes] of files) {
    if (!name.startsWith(prefix)) continue;
    const [first, ...rest] = name.slice(prefix.length).split('/');
    const child = `${prefix}${first}`;
    const size = rest.length > 0 ? Buffer.alloc(0) : bytes;
    entries.set(child, { ...describe(child, size), type: rest.length > 0 ? 'dir' : 'file' });
  }
  return entries.size === 0 && path !== '' ? notFound() : ok([...entries.values()] satisfies ContentDirectory);
}

function describe(path: string, bytes: Buffer) {
  const url = `https://github.test/contents/${path}`;
  return {
    size: bytes.length,
    name: path.split('/').at(-1)!,
    path,
    sha: createHash('sha1').update(bytes).digest('hex'),
    url,
    git_url: url,
    html_url: url,
    download_url: url,
    _links: { git: url, html: url, self: url },
  };
}
