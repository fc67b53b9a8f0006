import { buildGitCommit } from './commit.ts';
import { commitTo, filesAt, sha1 } from './git.ts';
import type { Files } from './git.ts';
import { created, failed, notFound, ok } from './reply.ts';
import type { Call, Reply } from './reply.ts';
import type { ContentDirectory, ContentFile, FileCommit } from './schema.ts';
import type { RepositoryState } from './state.ts';

/** GitHub leaves the content out of the JSON of larger files. */
const largestInline = 1024 * 1024;

/** /repos/{owner}/{repo}/contents/{path} */
export function answerContents(repo: RepositoryState, path: string, call: Call): Reply {
  return call.method === 'PUT' ? writeFile(repo, path, call.body) : readContents(repo, path, call);
}

function readContents({ git }: RepositoryState, path: string, { accept, query }: Call): Reply {
  const ref = query.get('ref') ?? 'main';
  const files = filesAt(git, ref);
  if (files === null) return failed(404, `No commit found for the ref ${ref}`);
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

function listDirectory(files: Files, path: string): Reply {
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

function writeFile({ git }: RepositoryState, path: string, body: Call['body']): Reply {
  const branch = typeof body['branch'] === 'string' ? body['branch'] : 'main';
  if (git.commits.size > 0 && !git.heads.has(branch)) return failed(404, `Branch ${branch} not found`);
  const present = filesAt(git, branch)?.get(path);
  if (present !== undefined && body['sha'] === undefined) {
    return failed(422, `Invalid request.\n\n"sha" wasn't supplied.`);
  }
  if (present !== undefined && body['sha'] !== sha1(present)) {
    return failed(409, `${path} does not match ${String(body['sha'])}`);
  }
  const bytes = Buffer.from(String(body['content']), 'base64');
  const commit = commitTo(git, branch, String(body['message']), new Map([[path, bytes]]));
  const written = { content: { ...describe(path, bytes), type: 'file' }, commit: buildGitCommit(commit) };
  return present === undefined ? created(written satisfies FileCommit) : ok(written);
}

function describe(path: string, bytes: Buffer) {
  const url = `https://github.test/contents/${path}`;
  return {
    size: bytes.length,
    name: path.split('/').at(-1)!,
    path,
    sha: sha1(bytes),
    url,
    git_url: url,
    html_url: url,
    download_url: url,
    _links: { git: url, html: url, self: url },
  };
}
