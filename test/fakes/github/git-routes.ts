import { buildCommit, buildGitCommit } from './commit.ts';
import { addCommit, addTree, changesOf, findCommit, historyOf } from './git.ts';
import { buildDiffEntry } from './pull-request.ts';
import { created, failed, notFound, ok, paged } from './reply.ts';
import type { Call, Reply } from './reply.ts';
import type { Branch, Commit, GitRef, GitTree } from './schema.ts';
import type { RepositoryState, State } from './state.ts';

/** /repos/{owner}/{repo}/commits */
export function listCommits({ me }: State, { git }: RepositoryState, call: Call): Reply {
  const start = findCommit(git, call.query.get('sha') ?? 'main');
  if (start === null) return git.commits.size === 0 ? empty() : notFound();
  const path = call.query.get('path');
  const author = call.query.get('author');
  const found = historyOf(git, start)
    .filter(commit => path === null || changesOf(git, commit).includes(path))
    .filter(() => author === null || author === me.login)
    .map(commit => buildCommit(me, commit));
  return paged(found, call);
}

/** /repos/{owner}/{repo}/commits/{ref} */
export function readCommit({ me }: State, { git }: RepositoryState, ref: string, call: Call): Reply {
  const commit = findCommit(git, ref);
  if (commit === null) return failed(422, `No commit found for SHA: ${ref}`);
  const files = changesOf(git, commit).map(buildDiffEntry);
  const stats = { additions: files.length, deletions: files.length, total: 2 * files.length };
  return paged(files, call, some => ({ ...buildCommit(me, commit), stats, files: some }) satisfies Commit);
}

/** /repos/{owner}/{repo}/branches */
export function listBranches({ git }: RepositoryState, call: Call): Reply {
  const branches: Branch[] = [...git.heads].map(([name, sha]) => ({
    name,
    commit: { sha, url: `https://github.test/commits/${sha}` },
    protected: name === 'main',
  }));
  return paged(branches, call);
}

/** /repos/{owner}/{repo}/git/… */
export function answerGit(repo: RepositoryState, rest: string, call: Call): Reply {
  const { git } = repo;
  const [kind, ...names] = rest.split('/');
  const name = names.join('/');
  if (git.commits.size === 0) return empty();
  switch (`${call.method} ${kind}`) {
    case 'GET ref':
      return git.heads.has(branchOf(name)) ? ok(buildRef(repo, branchOf(name))) : notFound();
    case 'GET commits':
      return git.commits.has(name) ? ok(buildGitCommit(git.commits.get(name)!)) : notFound();
    case 'POST trees':
      return createTree(repo, call.body as unknown as TreeBody);
    case 'POST commits':
      return createCommit(repo, call.body as unknown as CommitBody);
    case 'POST refs':
      return createRef(repo, String(call.body['ref']), String(call.body['sha']));
    case 'PATCH refs':
      return updateRef(repo, branchOf(name), String(call.body['sha']), call.body['force'] === true);
    default:
      return notFound();
  }
}

const empty = (): Reply => failed(409, 'Git Repository is empty.');
const branchOf = (ref: string): string => ref.replace(/^heads\//, '');

function buildRef({ git }: RepositoryState, branch: string): GitRef {
  const url = `https://github.test/git/refs/heads/${branch}`;
  return {
    ref: `refs/heads/${branch}`,
    node_id: 'R_1',
    url,
    object: { type: 'commit', sha: git.heads.get(branch)!, url },
  };
}

interface TreeBody {
  readonly base_tree: string;
  readonly tree: { path: string; content: string; mode: string; type: string }[];
}

function createTree({ git }: RepositoryState, { base_tree, tree }: TreeBody): Reply {
  const base = git.trees.get(base_tree);
  if (base === undefined) return failed(422, 'base_tree is not a valid tree oid');
  const files = new Map([...base, ...tree.map(({ path, content }) => [path, Buffer.from(content)] as const)]);
  return created({ sha: addTree(git, files), truncated: false, tree: [] } satisfies GitTree);
}

interface CommitBody {
  readonly message: string;
  readonly tree: string;
  readonly parents: string[];
}

function createCommit({ git }: RepositoryState, { message, tree, parents }: CommitBody): Reply {
  if (!git.trees.has(tree)) return failed(422, 'Tree SHA does not exist');
  return created(buildGitCommit(addCommit(git, { message, tree, parents })));
}

function createRef(repo: RepositoryState, ref: string, sha: string): Reply {
  const branch = branchOf(ref.replace(/^refs\//, ''));
  if (repo.git.heads.has(branch)) return failed(422, 'Reference already exists');
  repo.git.heads.set(branch, sha);
  return created(buildRef(repo, branch));
}

function updateRef(repo: RepositoryState, branch: string, sha: string, force: boolean): Reply {
  const { git } = repo;
  const present = git.heads.get(branch);
  const commit = git.commits.get(sha);
  if (present === undefined || commit === undefined) return failed(422, 'Reference does not exist');
  const forward = historyOf(git, commit).some(each => each.sha === present);
  if (!forward && !force) return failed(422, 'Update is not a fast forward');
  git.heads.set(branch, sha);
  return ok(buildRef(repo, branch));
}
