import { z } from 'zod';
import { showError, showPage } from '../tool/result.ts';
import { reads } from '../tool/tool.ts';
import { branch, owner, page, perPage, repo, userName } from './arguments.ts';
import type { GithubApi } from './client.ts';
import { defineTool } from './tool.ts';
import type { GithubTool } from './tool.ts';

const runStates = [
  'completed',
  'action_required',
  'cancelled',
  'failure',
  'neutral',
  'skipped',
  'stale',
  'success',
  'timed_out',
  'in_progress',
  'queued',
  'requested',
  'waiting',
  'pending',
] as const;

const listInput = z.object({
  method: z
    .enum(['list_workflows', 'list_workflow_runs', 'list_workflow_jobs', 'list_workflow_run_artifacts'])
    .describe(
      'list_workflows; list_workflow_runs: of resource_id, a workflow, or of all; list_workflow_jobs and list_workflow_run_artifacts: of resource_id, a run',
    ),
  owner,
  repo,
  resource_id: z
    .string()
    .max(255)
    .regex(/^(?:[1-9]\d{0,15}|[\w-][\w.-]*\.ya?ml)$/, 'must be a number, or the file name of a workflow')
    .optional()
    .describe('Number of a run or workflow, or the file name of a workflow such as ci.yml'),
  workflow_runs_filter: z
    .strictObject({
      actor: userName.optional().describe('Only runs that this user began'),
      branch: branch.optional().describe('Only runs of this branch'),
      event: z
        .string()
        .regex(/^\w{1,64}$/)
        .optional()
        .describe('Only runs of this event, such as push or pull_request'),
      status: z.enum(runStates).optional().describe('Only runs of this status or conclusion'),
    })
    .optional()
    .describe('With list_workflow_runs only'),
  workflow_jobs_filter: z
    .strictObject({ filter: z.enum(['latest', 'all']).default('latest').describe('all: of earlier attempts too') })
    .optional()
    .describe('With list_workflow_jobs only'),
  page,
  perPage,
});

interface ListCall {
  readonly api: GithubApi;
  readonly input: z.output<typeof listInput>;
  readonly where: { owner: string; repo: string };
  readonly paging: { page: number; per_page: number };
}

const listMethods = {
  async list_workflows({ api, where, paging }: ListCall) {
    const { data, headers } = await api.rest.actions.listRepoWorkflows({ ...where, ...paging });
    const workflows = data.workflows.map(({ id, name, path, state, html_url }) => ({
      id,
      name,
      path,
      state,
      html_url,
    }));
    return showPage(workflows, paging, headers.link);
  },
  async list_workflow_runs({ api, input, where, paging }: ListCall) {
    const { actor, branch: of, event, status } = input.workflow_runs_filter ?? {};
    const { actions } = api.rest;
    const asked = {
      ...where,
      ...(actor !== undefined && { actor }),
      ...(of !== undefined && { branch: of }),
      ...(event !== undefined && { event }),
      ...(status !== undefined && { status }),
      ...paging,
    };
    const { data, headers } = await (input.resource_id === undefined
      ? actions.listWorkflowRunsForRepo(asked)
      : actions.listWorkflowRuns({ ...asked, workflow_id: input.resource_id }));
    const runs = data.workflow_runs.map(run => ({
      id: run.id,
      name: run.name,
      display_title: run.display_title,
      workflow_id: run.workflow_id,
      run_number: run.run_number,
      run_attempt: run.run_attempt,
      event: run.event,
      status: run.status,
      conclusion: run.conclusion,
      head_branch: run.head_branch,
      head_sha: run.head_sha,
      actor: run.actor?.login,
      html_url: run.html_url,
      created_at: run.created_at,
      updated_at: run.updated_at,
    }));
    return showPage(runs, paging, headers.link);
  },
  async list_workflow_jobs({ api, input, where, paging }: ListCall) {
    const run_id = runOf(input);
    if (run_id === null) return needsRun(input.method);
    const filter = input.workflow_jobs_filter?.filter ?? 'latest';
    const { data, headers } = await api.rest.actions.listJobsForWorkflowRun({ ...where, run_id, filter, ...paging });
    const jobs = data.jobs.map(job => ({
      id: job.id,
      name: job.name,
      status: job.status,
      conclusion: job.conclusion,
      started_at: job.started_at,
      completed_at: job.completed_at,
      html_url: job.html_url,
      steps: job.steps?.map(({ number, name, status, conclusion }) => ({ number, name, status, conclusion })),
    }));
    return showPage(jobs, paging, headers.link);
  },
  async list_workflow_run_artifacts({ api, input, where, paging }: ListCall) {
    const run_id = runOf(input);
    if (run_id === null) return needsRun(input.method);
    const { data, headers } = await api.rest.actions.listWorkflowRunArtifacts({ ...where, run_id, ...paging });
    const artifacts = data.artifacts.map(({ id, name, size_in_bytes, expired, created_at, expires_at }) => ({
      id,
      name,
      size_in_bytes,
      expired,
      created_at,
      expires_at,
    }));
    return showPage(artifacts, paging, headers.link);
  },
};

function runOf({ resource_id }: ListCall['input']): number | null {
  return resource_id !== undefined && /^\d+$/.test(resource_id) ? Number(resource_id) : null;
}

const needsRun = (method: string) =>
  showError(`actions_list with "${method}" needs the number of a run as resource_id: see list_workflow_runs.`);

const actionsList = defineTool({
  name: 'actions_list',
  title: 'List workflows, runs, jobs or artifacts',
  description: 'What GitHub Actions has in a repository: its workflows, their runs, the jobs or artifacts of a run.',
  toolset: 'actions',
  input: listInput,
  annotations: reads,
  run: (input, { api }) =>
    listMethods[input.method]({
      api,
      input,
      where: { owner: input.owner, repo: input.repo },
      paging: { page: input.page, per_page: input.perPage },
    }),
});

export const actionTools: readonly GithubTool[] = [actionsList];
