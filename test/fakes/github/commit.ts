import type { StoredCommit } from './git.ts';
import { urls, writtenAt } from './schema.ts';
import type { Commit, GitCommit, SimpleUser } from './schema.ts';

const author = { name: 'Mona Test', email: 'mona@github.test', date: writtenAt };

export function buildCommit(user: SimpleUser, { sha, message, tree, parents }: StoredCommit): Commit {
  const base = `https://github.test/commits/${sha}`;
  return {
    sha,
    node_id: `C_${sha}`,
    commit: { url: base, author, committer: author, message, comment_count: 0, tree: { sha: tree, url: base } },
    author: user,
    committer: user,
    parents: parents.map(parent => ({ sha: parent, url: base })),
    ...urls(base, ['url', 'html_url', 'comments_url']),
  };
}

export function buildGitCommit({ sha, message, tree, parents }: StoredCommit): GitCommit {
  const base = `https://github.test/git/commits/${sha}`;
  return {
    sha,
    node_id: `C_${sha}`,
    author,
    committer: author,
    message,
    tree: { sha: tree, url: base },
    parents: parents.map(parent => ({ sha: parent, ...urls(base, ['url', 'html_url']) })),
    verification: { verified: false, reason: 'unsigned', signature: null, payload: null, verified_at: null },
    ...urls(base, ['url', 'html_url']),
  };
}
