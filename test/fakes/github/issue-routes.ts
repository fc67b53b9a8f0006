import { buildComment, buildIssue, buildLabel } from './issue.ts';
import { created, invalid, notFound, ok, paged } from './reply.ts';
import type { Call, Reply } from './reply.ts';
import type { Issue, SimpleUser } from './schema.ts';
import type { RepositoryState, State } from './state.ts';

/** /repos/{owner}/{repo}/issues */
export function answerIssues(state: State, repo: RepositoryState, call: Call): Reply {
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
  return created(issue);
}

/** /repos/{owner}/{repo}/issues/{number}/… */
export function answerIssue(
  { me }: State,
  repo: RepositoryState,
  number: number,
  part: string | undefined,
  call: Call,
): Reply {
  const index = repo.issues.findIndex(issue => issue.number === number);
  const issue = repo.issues[index];
  if (issue === undefined) return notFound();
  if (part === 'comments' && call.method === 'POST') return createComment(me, repo, number, String(call.body['body']));
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

function createComment(me: SimpleUser, { comments }: RepositoryState, number: number, body: string): Reply {
  const before = comments.get(number) ?? [];
  const comment = buildComment(me, 1000 + before.length, body);
  comments.set(number, [...before, comment]);
  return created(comment);
}
