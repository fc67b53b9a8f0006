import { failed, notFound, paged } from './reply.ts';
import type { Call, Reply } from './reply.ts';
import type { RepositoryState, State } from './state.ts';

/** /repos/{owner}/{repo}/actions/… */
export function answerActions({ storage }: State, { actions }: RepositoryState, rest: string, call: Call): Reply {
  const [kind, id, part] = rest.split('/');
  const counted = (name: string, all: readonly object[]) =>
    paged(all, call, items => ({ total_count: all.length, [name]: items }));
  const { workflows, runs, jobs, artifacts, logs } = actions;
  if (kind === 'workflows' && id === undefined) return counted('workflows', workflows);
  if (kind === 'workflows' || (kind === 'runs' && id === undefined)) {
    const workflow = workflows.find(each => String(each.id) === id || each.path.endsWith(`/${id}`));
    if (kind === 'workflows' && workflow === undefined) return notFound();
    const status = call.query.get('status');
    const found = runs
      .filter(run => workflow === undefined || run.workflow_id === workflow.id)
      .filter(run => status === null || run.conclusion === status || run.status === status);
    return counted('workflow_runs', found);
  }
  if (kind === 'runs' && !runs.some(run => run.id === Number(id))) return notFound();
  if (kind === 'runs' && part === 'jobs') {
    return counted(
      'jobs',
      jobs.filter(job => job.run_id === Number(id)),
    );
  }
  if (kind === 'runs' && part === 'artifacts') return counted('artifacts', artifacts);
  if (kind === 'jobs' && part === 'logs') {
    if (!logs.has(Number(id))) return failed(404, 'Not Found');
    return { status: 302, body: '', headers: { location: `${storage.url}/log/${id}?sig=signed` } };
  }
  return notFound();
}
