import { filesAt, sha1 } from './git.ts';
import { notFound, paged } from './reply.ts';
import type { Call, Reply } from './reply.ts';
import type { FoundCode, FoundIssue, FoundUser } from './schema.ts';
import type { RepositoryState, State } from './state.ts';

/** /search/{what} */
export function search(state: State, what: string, call: Call): Reply {
  const terms = (call.query.get('q') ?? '').split(/\s+/).filter(term => term !== '');
  const words = terms.filter(term => !term.includes(':'));
  const has = (qualifier: string) => terms.includes(qualifier);
  const named = terms.find(term => term.startsWith('repo:'))?.slice('repo:'.length);
  const within = state.repositories.filter(({ repository }) => named === undefined || repository.full_name === named);
  switch (what) {
    case 'repositories':
      return hits(findRepositories(within, words), call);
    case 'code':
      return hits(
        within.flatMap(repo => findCode(repo, words)),
        call,
      );
    case 'issues':
      return hits(
        within.flatMap(repo => findIssues(repo, words, has('is:pr'))),
        call,
      );
    case 'users':
      return hits(findUsers(state, words), call);
    default:
      return notFound();
  }
}

function hits(found: readonly object[], call: Call): Reply {
  return paged(found, call, items => ({ total_count: found.length, incomplete_results: false, items }));
}

function findRepositories(repositories: readonly RepositoryState[], words: readonly string[]) {
  return repositories.map(each => each.repository).filter(({ name }) => words.every(word => name.includes(word)));
}

function findCode({ repository, git }: RepositoryState, words: readonly string[]): FoundCode[] {
  return [...(filesAt(git, 'main') ?? [])]
    .filter(([, bytes]) => words.every(word => bytes.includes(word)))
    .map(([path, bytes]) => {
      const url = `https://github.test/${path}`;
      const at = bytes.indexOf(words[0] ?? '');
      const fragment = bytes.subarray(Math.max(0, at - 20), at + 40).toString('utf8');
      return {
        name: path.split('/').at(-1)!,
        path,
        sha: sha1(bytes),
        url,
        git_url: url,
        html_url: url,
        repository: repository as FoundCode['repository'],
        score: 1,
        text_matches: [{ fragment, property: 'content', object_url: url, object_type: 'FileContent', matches: [] }],
      };
    });
}

function findIssues({ repository, issues }: RepositoryState, words: readonly string[], pulls: boolean): FoundIssue[] {
  return issues
    .filter(issue => (issue.pull_request !== undefined) === pulls)
    .filter(({ title }) => words.every(word => title.toLowerCase().includes(word.toLowerCase())))
    .map(issue => ({
      ...(issue as unknown as FoundIssue),
      repository_url: `https://api.github.test/repos/${repository.full_name}`,
      score: 1,
    }));
}

function findUsers({ users }: State, words: readonly string[]): FoundUser[] {
  return users
    .filter(({ login }) => words.every(word => login.includes(word)))
    .map(user => ({ ...user, name: user.name ?? null, email: null, score: 1 }));
}
