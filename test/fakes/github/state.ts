import { buildArtifact, buildJob, buildRun, buildWorkflow } from './action.ts';
import { commitTo, createGit } from './git.ts';
import type { Git } from './git.ts';
import { buildComment, buildIssue } from './issue.ts';
import { buildPullRequest, buildReview } from './pull-request.ts';
import { buildRepository } from './repository.ts';
import type {
  Artifact,
  FoundRepository,
  Issue,
  IssueComment,
  Job,
  PullRequest,
  Repository,
  Review,
  SimplePullRequest,
  SimpleUser,
  Workflow,
  WorkflowRun,
} from './schema.ts';
import { startStorage } from './storage.ts';
import type { Storage } from './storage.ts';
import { buildUser } from './user.ts';

export interface RepositoryState {
  readonly repository: Repository & FoundRepository;
  readonly git: Git;
  readonly issues: Issue[];
  readonly comments: Map<number, IssueComment[]>;
  readonly pulls: (PullRequest & SimplePullRequest)[];
  readonly reviews: Map<number, Review[]>;
  readonly diff: string;
  readonly actions: {
    readonly workflows: Workflow[];
    readonly runs: WorkflowRun[];
    readonly jobs: Job[];
    readonly artifacts: Artifact[];
    readonly logs: ReadonlyMap<number, string>;
  };
}

export type RateResource = 'core' | 'search' | 'code_search';

export interface RateLimit {
  limit: number;
  remaining: number;
  /** In seconds since 1970. */
  reset: number;
}

export interface State {
  readonly token: string;
  readonly me: SimpleUser;
  readonly users: SimpleUser[];
  readonly repositories: RepositoryState[];
  readonly storage: Storage;
  /** By resource; sent with every answer. */
  readonly rateLimits: Record<RateResource, RateLimit>;
}

/** A user with two repositories: `demo` with 45 issues, two pull requests and some runs, and an empty one. */
export function createState(): State {
  const me = buildUser('mona', 1);
  const demo = createDemo(me);
  return {
    token: 'ghp_testtoken',
    me,
    users: [me, buildUser('lisa', 2), buildUser('lisa-two', 3)],
    repositories: [demo, createEmpty(me)],
    storage: startStorage(job => demo.actions.logs.get(job)),
    rateLimits: {
      core: { limit: 5000, remaining: 4999, reset: 2_000_000_000 },
      search: { limit: 30, remaining: 29, reset: 2_000_000_000 },
      code_search: { limit: 10, remaining: 9, reset: 2_000_000_000 },
    },
  };
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
  return {
    repository,
    git: createHistory(),
    issues,
    comments: new Map([
      [1, comments],
      [46, comments.slice(0, 1)],
    ]),
    pulls,
    reviews: new Map([[46, [buildReview(me, 1)]]]),
    diff: `diff --git a/README.md b/README.md\n${'+line\n'.repeat(30_000)}`,
    actions: createActions(me, repository),
  };
}

function createHistory(): Git {
  const git = createGit();
  const readme = Buffer.from('# Demo\n\nHello.\n');
  commitTo(git, 'main', 'Begin', new Map([['README.md', readme]]));
  const sources = new Map([
    ['src/index.ts', Buffer.from('export const answer = 42;\n')],
    ['src/long.txt', Buffer.from('0123456789'.repeat(25_000))],
    ['src/huge.txt', Buffer.from('abcdefghij'.repeat(150_000))],
  ]);
  const { sha } = commitTo(git, 'main', 'Add the sources', sources);
  git.heads.set('topic', sha);
  git.heads.set('feature/x', sha);
  commitTo(git, 'main', 'Add a logo', new Map([['logo.png', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 1, 2, 3])]]));
  const odd = ['docs/a b#c?d.md', 'docs/größe 100%.md', "docs/it's [1] & {2}+;=@$,!.md"];
  commitTo(git, 'odd', 'Odd names', new Map(odd.map(path => [path, Buffer.from(`This is ${path}\n`)])));
  return git;
}

function createActions(me: SimpleUser, repository: Repository): RepositoryState['actions'] {
  const lines = (count: number) => Array.from({ length: count }, (_, at) => `line ${at + 1}`).join('\n');
  return {
    workflows: [buildWorkflow(11, 'ci.yml'), buildWorkflow(12, 'release.yml')],
    runs: [buildRun(me, repository, 201, 11, 'success'), buildRun(me, repository, 202, 11, 'failure')],
    jobs: [
      buildJob(202, 301, 'build', 'success'),
      buildJob(202, 302, 'test', 'failure'),
      buildJob(202, 303, 'lint', 'failure'),
      buildJob(202, 304, 'slow', 'timed_out'),
    ],
    artifacts: [buildArtifact(401, 'coverage')],
    logs: new Map([
      [301, `\u{FEFF}${lines(3)}\n`],
      [302, `${lines(2000)}\n\u001B[31mError: expected 42\u001B[0m\n`],
      [304, `${'x'.repeat(99)}\n`.repeat(60_000)],
      [305, `${'y'.repeat(999)}\n`.repeat(5000)],
    ]),
  };
}

function createEmpty(me: SimpleUser): RepositoryState {
  const repository = buildRepository(me, 'empty', 102);
  return {
    repository,
    git: createGit(),
    issues: [],
    comments: new Map(),
    pulls: [],
    reviews: new Map(),
    diff: '',
    actions: { workflows: [], runs: [], jobs: [], artifacts: [], logs: new Map() },
  };
}
