import { createHash } from 'node:crypto';

export type Files = ReadonlyMap<string, Buffer>;

export interface StoredCommit {
  readonly sha: string;
  readonly message: string;
  readonly tree: string;
  readonly parents: readonly string[];
}

/** A repository's objects, and its branches without refs/heads/. */
export interface Git {
  readonly commits: Map<string, StoredCommit>;
  readonly trees: Map<string, Files>;
  readonly heads: Map<string, string>;
}

export const sha1 = (data: string | Buffer): string => createHash('sha1').update(data).digest('hex');

export function createGit(): Git {
  return { commits: new Map(), trees: new Map(), heads: new Map() };
}

export function addTree({ trees }: Git, files: Files): string {
  const sha = sha1(JSON.stringify([...files].map(([path, bytes]) => [path, sha1(bytes)])));
  trees.set(sha, files);
  return sha;
}

export function addCommit(git: Git, commit: Omit<StoredCommit, 'sha'>): StoredCommit {
  const stored = { ...commit, sha: sha1(JSON.stringify([commit, git.commits.size])) };
  git.commits.set(stored.sha, stored);
  return stored;
}

/** A commit on top of a branch, which begins with it if it was not there. */
export function commitTo(git: Git, branch: string, message: string, change: Files): StoredCommit {
  const head = git.heads.get(branch);
  const files = head === undefined ? new Map<string, Buffer>() : filesAt(git, head)!;
  const tree = addTree(git, new Map([...files, ...change]));
  const commit = addCommit(git, { message, tree, parents: head === undefined ? [] : [head] });
  git.heads.set(branch, commit.sha);
  return commit;
}

/** By branch, ref or SHA. */
export function findCommit({ commits, heads }: Git, ref: string): StoredCommit | null {
  const branch = ref.replace(/^(refs\/)?heads\//, '');
  return commits.get(heads.get(branch) ?? ref) ?? null;
}

export function filesAt(git: Git, ref: string): Files | null {
  const commit = findCommit(git, ref);
  return commit === null ? null : (git.trees.get(commit.tree) ?? null);
}

/** Newest first, along the first parents. */
export function historyOf(git: Git, start: StoredCommit): StoredCommit[] {
  const history = [start];
  for (let at = start.parents[0]; at !== undefined; at = history.at(-1)!.parents[0]) {
    history.push(git.commits.get(at)!);
  }
  return history;
}

/** The paths that a commit changes. */
export function changesOf(git: Git, { tree, parents }: StoredCommit): string[] {
  const before = parents[0] === undefined ? null : filesAt(git, parents[0]);
  const after = git.trees.get(tree)!;
  return [...after].filter(([path, bytes]) => !before?.get(path)?.equals(bytes)).map(([path]) => path);
}
