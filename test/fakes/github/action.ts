import { urls, writtenAt } from './schema.ts';
import type { Artifact, Job, Repository, SimpleUser, Workflow, WorkflowRun } from './schema.ts';

export function buildWorkflow(id: number, file: string): Workflow {
  const base = `https://github.test/workflows/${id}`;
  return {
    id,
    node_id: `W_${id}`,
    name: file.replace('.yml', ''),
    path: `.github/workflows/${file}`,
    state: 'active',
    created_at: writtenAt,
    updated_at: writtenAt,
    ...urls(base, ['url', 'html_url', 'badge_url']),
  };
}

const runUrls = [
  'url',
  'html_url',
  'jobs_url',
  'logs_url',
  'check_suite_url',
  'artifacts_url',
  'cancel_url',
  'rerun_url',
  'workflow_url',
] as const;

export function buildRun(
  actor: SimpleUser,
  repository: Repository,
  id: number,
  workflow_id: number,
  conclusion: string,
): WorkflowRun {
  return {
    id,
    node_id: `WR_${id}`,
    name: 'ci',
    head_branch: 'main',
    head_sha: 'a'.repeat(40),
    path: '.github/workflows/ci.yml',
    run_number: id,
    event: 'push',
    status: 'completed',
    conclusion,
    workflow_id,
    pull_requests: [],
    created_at: writtenAt,
    updated_at: writtenAt,
    actor,
    display_title: `Run ${id}`,
    head_commit: null,
    repository: repository as unknown as WorkflowRun['repository'],
    head_repository: repository as unknown as WorkflowRun['head_repository'],
    ...urls(`https://github.test/runs/${id}`, runUrls),
  };
}

export function buildJob(run_id: number, id: number, name: string, conclusion: NonNullable<Job['conclusion']>): Job {
  return {
    id,
    run_id,
    node_id: `J_${id}`,
    head_sha: 'a'.repeat(40),
    head_branch: 'main',
    workflow_name: 'ci',
    status: 'completed',
    conclusion,
    created_at: writtenAt,
    started_at: writtenAt,
    completed_at: writtenAt,
    name,
    steps: [{ number: 1, name: 'test', status: 'completed', conclusion }],
    labels: ['ubuntu-latest'],
    runner_id: 1,
    runner_name: 'r',
    runner_group_id: 1,
    runner_group_name: 'g',
    ...urls(`https://github.test/jobs/${id}`, ['url', 'html_url', 'run_url', 'check_run_url']),
  };
}

export function buildArtifact(id: number, name: string): Artifact {
  return {
    id,
    node_id: `A_${id}`,
    name,
    size_in_bytes: 1234,
    expired: false,
    created_at: writtenAt,
    expires_at: writtenAt,
    updated_at: writtenAt,
    ...urls(`https://github.test/artifacts/${id}`, ['url', 'archive_download_url']),
  };
}
