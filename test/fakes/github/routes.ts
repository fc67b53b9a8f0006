import { answerActions } from './action-routes.ts';
import { answerContents } from './contents.ts';
import { answerGit, listBranches, listCommits, readCommit } from './git-routes.ts';
import { answerIssue, answerIssues } from './issue-routes.ts';
import { buildStatus } from './pull-request.ts';
import { answerPull, answerPulls } from './pull-routes.ts';
import { notFound, ok } from './reply.ts';
import type { Call, Reply } from './reply.ts';
import { search } from './search-routes.ts';
import type { RepositoryState, State } from './state.ts';
import { buildMe } from './user.ts';

/** Answers a call that has passed authentication. */
export function answer(state: State, call: Call): Reply {
  if (call.method === 'GET' && call.path === '/user') return ok(buildMe(state.me));
  if (call.method === 'GET' && call.path.startsWith('/search/')) return search(state, call.path.slice(8), call);
  const moved = /^\/repos\/mona\/(renamed|moved)(\/.*)$/.exec(call.rawPath);
  if (moved !== null) return redirect(call, moved[1]!, moved[2]!);
  const match = /^\/repos\/([^/]+)\/([^/]+)(?:\/(.*))?$/.exec(call.path);
  const found = state.repositories.find(({ repository }) => repository.full_name === `${match?.[1]}/${match?.[2]}`);
  return match === null || found === undefined ? notFound() : answerRepository(state, found, match[3] ?? '', call);
}

/** `renamed` redirects writes as a client may repeat them (307); `moved` as fetch would turn into reads (301). */
function redirect({ method, query }: Call, name: string, rest: string): Reply {
  const status = name === 'renamed' && method !== 'GET' ? 307 : 301;
  const location = `/repos/mona/demo${rest}${query.size > 0 ? `?${query.toString()}` : ''}`;
  return { status, body: { message: 'Moved Permanently' }, headers: { location } };
}

function answerRepository(state: State, repo: RepositoryState, rest: string, call: Call): Reply {
  const [kind, ...names] = rest.split('/');
  const [id, part] = names;
  const path = names.join('/');
  switch (kind as string) {
    case '':
      return ok(repo.repository);
    case 'contents':
      return answerContents(repo, path, call);
    case 'branches':
      return listBranches(repo, call);
    case 'git':
      return answerGit(repo, path, call);
    case 'actions':
      return answerActions(state, repo, path, call);
    case 'commits':
      if (path === '') return listCommits(state, repo, call);
      return part === 'status' ? ok(buildStatus(repo.repository)) : readCommit(state, repo, path, call);
    case 'issues':
      return id === undefined ? answerIssues(state, repo, call) : answerIssue(state, repo, Number(id), part, call);
    case 'pulls':
      return id === undefined ? answerPulls(state, repo, call) : answerPull(state, repo, names, call);
    default:
      return notFound();
  }
}
