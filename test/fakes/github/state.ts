import { buildComment, buildIssue } from './issue.ts';
import { buildPullRequest } from './pull-request.ts';
import { buildRepository } from './repository.ts';
import type {
  FoundRepository,
  Issue,
  IssueComment,
  PullRequest,
  Repository,
  SimplePullRequest,
  SimpleUser,
} from './schema.ts';
import { buildUser } from './user.ts';

export interface RepositoryState {
  readonly repository: Repository & FoundRepository;
  readonly files: Map<string, Buffer>;
  readonly issues: Issue[];
  readonly comments: Map<number, IssueComment[]>;
  readonly pulls: (PullRequest & SimplePullRequest)[];
  readonly diff: string;
}

export interface State {
  readonly token: string;
  readonly me: SimpleUser;
  readonly repositories: RepositoryState[];
}

/** A user with two repositories: `demo` with 45 issues and two pull requests, and an empty one. */
export function createState(): State {
  const me = buildUser('mona', 1);
  return { token: 'ghp_testtoken', me, repositories: [createDemo(me), createEmpty(me)] };
}

function createDemo(me: SimpleUser): RepositoryState {
  const repository = buildRepository(me, 'demo', 101);
  const issues = Array.from({ length: 45 }, (_, index) => buildIssue(me, index + 1, `Issue ${index + 1}`));
  const pulls = [46, 47].map(number => buildPullRequest(me, repository, number));
  // As at GitHub, every pull request is an issue too.
  for (const { number } of pulls) {
    issues.push({
      ...buildIssue(me, number, `Pull request ${number}`),
      pull_request: { diff_url: '', html_url: '', patch_url: '', url: '' },
    });
  }
  const comments = [1, 2, 3].map(id => buildComment(me, id, `Comment ${id}`));
  const files = new Map([
    ['README.md', Buffer.from('# Demo\n\nHello.\n')],
    ['src/index.ts', Buffer.from('export const answer = 42;\n')],
    ['src/long.txt', Buffer.from('0123456789'.repeat(25_000))],
    ['src/huge.txt', Buffer.from('abcdefghij'.repeat(150_000))],
    ['logo.png', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 1, 2, 3])],
  ]);
  return {
    repository,
    files,
    issues,
    comments: new Map([
      [1, comments],
      [46, comments.slice(0, 1)],
    ]),
    pulls,
    diff: `diff --git a/README.md b/README.md\n${'+line\n'.repeat(30_000)}`,
  };
}

function createEmpty(me: SimpleUser): RepositoryState {
  const repository = buildRepository(me, 'empty', 102);
  return { repository, files: new Map(), issues: [], comments: new Map(), pulls: [], diff: '' };
}
