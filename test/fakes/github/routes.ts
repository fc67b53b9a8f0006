import { readContents } from './contents.ts';
import { buildIssue, buildLabel } from './issue.ts';
import { buildDiffEntry, buildReview, buildReviewComment, buildStatus } from './pull-request.ts';
import { invalid, notFound, ok, paged } from './reply.ts';
import type { Call, Reply } from './reply.ts';
import type { Issue } from './schema.ts';
import type { RepositoryState, State } from './state.ts';
import { buildMe } from './user.ts';

/** Answers a call that has passed authentication. */
export function answer(state: State, call: Call): Reply {
  if (call.method === 'GET' && call.path === '/user') return ok(buildMe(state.me));
  if (call.method === 'GET' && call.path === '/search/repositories') return searchRepositories(state, call);
  const match = /^\/repos\/([^/]+)\/([^/]+)\/(.*)$/.exec(call.path);
  const found = state.repositories.find(({ repository }) => repository.full_name === `${match?.[1]}/${match?.[2]}`);
  return match === null || found === undefined ? notFound() : answerRepository(state, found, match[3]!, call);
}

function searchRepositories({ repositories }: State, call: Call): Reply {
  const words = (call.query.get('q') ?? '').split(/\s+/).filter(word => word !== '' && !word.includes(':'));
  const hits = repositories.map(each => each.repository).filter(({ name }) => words.every(word => name.includes(word)));
  return paged(hits, call, items => ({ total_count: hits.length, incomplete_results: false, items }));
}

function answerRepository(state: State, repo: RepositoryState, rest: string, call: Call): Reply {
  const [kind, id, part] = rest.split('/');
  if (kind === 'contents') return readContents(repo, rest.slice('contents/'.length), call);
  if (kind === 'commits' && part === 'status') return ok(buildStatus(repo.repository));
  if (kind === 'issues')
    return id === undefined ? answerIssues(state, repo, call) : answerIssue(repo, Number(id), part, call);
  if (kind === 'pulls')
    return id === undefined ? listPulls(repo, call) : answerPull(state, repo, Number(id), part, call);
  return notFound();
}

function answerIssues(state: State, repo: RepositoryState, call: Call): Reply {
  if (call.method === 'POST') return createIssue(state, repo, call.body);
  const wanted = call.query.get('state') ?? 'open';
  const labels = call.query.get('labels')?.split(',') ?? [];
  const names = (issue: Issue) => issue.labels.map(label => (typeof label === 'string' ? label : label.name));
  const found = repo.issues
    .filter(issue => wanted === 'all' || issue.state === wanted)
    .filter(issue => labels.every(label => names(issue).includes(label)));
  return paged(call.query.get('direction') === 'asc' ? found : found.toReversed(), call);
}

function createIssue({ me }: State, { issues }: RepositoryState, body: Record<string, unknown>): Reply {
  if (typeof body['title'] !== 'string') return invalid('title', 'missing_field');
  const issue = { ...buildIssue(me, issues.length + 1, body['title']), ...changes(body) };
  issues.push(issue);
  return { status: 201, body: issue };
}

function answerIssue(repo: RepositoryState, number: number, part: string | undefined, call: Call): Reply {
  const index = repo.issues.findIndex(issue => issue.number === number);
  const issue = repo.issues[index];
  if (issue === undefined) return notFound();
  if (part === 'comments') return paged(repo.comments.get(number) ?? [], call);
  if (part === 'labels') return paged(issue.labels, call);
  if (part === 'sub_issues') return paged(repo.issues.slice(1, 3), call);
  if (call.method !== 'PATCH') return ok(issue);
  if (call.body['labels'] !== undefined && !Array.isArray(call.body['labels'])) return invalid('labels', 'invalid');
  repo.issues[index] = { ...issue, ...changes(call.body) };
  return ok(repo.issues[index]);
}

function changes({ title, body, state, state_reason, labels }: Record<string, unknown>): Partial<Issue> {
  return {
    ...(typeof title === 'string' && { title }),
    ...(typeof body === 'string' && { body }),
    ...(typeof state === 'string' && { state }),
    ...(state_reason === 'completed' && { state_reason }),
    ...(Array.isArray(labels) && { labels: labels.map(name => buildLabel(String(name))) }),
  };
}

function listPulls({ pulls }: RepositoryState, call: Call): Reply {
  const wanted = call.query.get('state') ?? 'open';
  return paged(
    pulls.filter(pull => wanted === 'all' || pull.state === wanted),
    call,
  );
}

function answerPull({ me }: State, repo: RepositoryState, number: number, part: string | undefined, call: Call): Reply {
  const pull = repo.pulls.find(each => each.number === number);
  if (pull === undefined) return notFound();
  if (part === 'files') return paged(['README.md', 'src/index.ts', 'src/long.txt'].map(buildDiffEntry), call);
  if (part === 'reviews') return paged([buildReview(me, 1)], call);
  if (part === 'comments') return paged([buildReviewComment(me, 1)], call);
  if (!call.accept.includes('diff')) return ok(pull);
  return { status: 200, body: repo.diff, headers: { 'content-type': 'application/vnd.github.diff; charset=utf-8' } };
}
