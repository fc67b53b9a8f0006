import { findCommit } from './git.ts';
import { buildDiffEntry, buildPullRequest, buildReview, buildReviewComment } from './pull-request.ts';
import { created, failed, invalid, notFound, ok, paged } from './reply.ts';
import type { Call, Reply } from './reply.ts';
import type { MergeResult, PullRequest, Review, SimplePullRequest } from './schema.ts';
import type { RepositoryState, State } from './state.ts';
import { buildUser } from './user.ts';

type Pull = PullRequest & SimplePullRequest;

/** /repos/{owner}/{repo}/pulls */
export function answerPulls(state: State, repo: RepositoryState, call: Call): Reply {
  if (call.method === 'POST') return createPull(state, repo, call.body);
  const wanted = call.query.get('state') ?? 'open';
  const base = call.query.get('base');
  return paged(
    repo.pulls
      .filter(pull => wanted === 'all' || pull.state === wanted)
      .filter(pull => !base || pull.base.ref === base),
    call,
  );
}

function createPull({ me }: State, repo: RepositoryState, body: Call['body']): Reply {
  const head = String(body['head']).replace(/^.*:/, '');
  const base = String(body['base']);
  const headCommit = findCommit(repo.git, head);
  const baseCommit = findCommit(repo.git, base);
  if (headCommit === null) return invalid('head', 'invalid');
  if (baseCommit === null) return invalid('base', 'invalid');
  const pull = buildPullRequest(me, repo.repository, repo.issues.length + repo.pulls.length + 100);
  repo.pulls.push({
    ...pull,
    ...changes(body),
    draft: body['draft'] === true,
    head: { ...pull.head, label: `mona:${head}`, ref: head, sha: headCommit.sha },
    base: { ...pull.base, label: `mona:${base}`, ref: base, sha: baseCommit.sha },
  });
  return created(repo.pulls.at(-1));
}

/** /repos/{owner}/{repo}/pulls/{number}/… */
export function answerPull(state: State, repo: RepositoryState, rest: readonly string[], call: Call): Reply {
  const [number, part, ...further] = rest;
  const index = repo.pulls.findIndex(each => each.number === Number(number));
  const pull = repo.pulls[index];
  if (pull === undefined) return notFound();
  const replace = (next: Partial<Pull>) => ok((repo.pulls[index] = { ...pull, ...next }));
  if (part === 'files') return paged(['README.md', 'src/index.ts', 'src/long.txt'].map(buildDiffEntry), call);
  if (part === 'comments') return paged([buildReviewComment(state.me, 1)], call);
  if (part === 'reviews') return answerReviews(state, repo, pull, further, call);
  if (part === 'merge') return merge(pull, call.body, () => void replace({ state: 'closed', merged: true }));
  if (part === 'requested_reviewers') {
    const names = call.body['reviewers'] as string[];
    return { ...replace({ requested_reviewers: names.map((name, at) => buildUser(name, 50 + at)) }), status: 201 };
  }
  if (call.method === 'PATCH') return replace(changes(call.body));
  if (!call.accept.includes('diff')) return ok(pull);
  return { status: 200, body: repo.diff, headers: { 'content-type': 'application/vnd.github.diff; charset=utf-8' } };
}

function changes({ title, body, state }: Call['body']): Partial<Pull> {
  return {
    ...(typeof title === 'string' && { title }),
    ...(typeof body === 'string' && { body }),
    ...((state === 'open' || state === 'closed') && { state }),
  };
}

function merge(pull: Pull, { sha }: Call['body'], close: () => void): Reply {
  if (pull.state === 'closed') return failed(405, 'Pull Request is not mergeable');
  if (sha !== undefined && sha !== pull.head.sha) {
    return failed(409, 'Head branch was modified. Review and try the merge again.');
  }
  close();
  return ok({ sha: 'c'.repeat(40), merged: true, message: 'Pull Request successfully merged' } satisfies MergeResult);
}

const verdicts: Readonly<Record<string, string>> = {
  APPROVE: 'APPROVED',
  REQUEST_CHANGES: 'CHANGES_REQUESTED',
  COMMENT: 'COMMENTED',
};

function answerReviews(
  { me }: State,
  { reviews }: RepositoryState,
  { number, user }: Pull,
  [id, action]: readonly string[],
  call: Call,
): Reply {
  const known = reviews.get(number) ?? [];
  reviews.set(number, known);
  const { event, body } = call.body;
  const written = { ...(typeof body === 'string' && { body }), state: verdicts[String(event)] ?? 'PENDING' };
  const index = known.findIndex(review => review.id === Number(id));
  if (id !== undefined && index < 0) return notFound();
  if (call.method === 'GET') return paged(known, call);
  if (event === 'APPROVE' && number === 47 && user.login === me.login) {
    return failed(422, 'Unprocessable Entity', {}, ['Can not approve your own pull request']);
  }
  if (id === undefined) {
    const review: Review = { ...buildReview(me, 100 + known.length), body: '', ...written };
    known.push(review);
    return ok(review);
  }
  if (action === 'events') return ok((known[index] = { ...known[index]!, ...written }));
  return ok(known.splice(index, 1)[0]);
}
