import { stripVTControlCharacters } from 'node:util';
import { z } from 'zod';
import { readEnd } from '../tool/body.ts';
import type { Body } from '../tool/body.ts';
import { maxTextLength, showError, showObject, showText } from '../tool/result.ts';
import { reads } from '../tool/tool.ts';
import { offset, owner, repo } from './arguments.ts';
import type { GithubApi } from './client.ts';
import { cutOff, findRefusal, UnreadableAnswer } from './errors.ts';
import { defineTool } from './tool.ts';
import type { GithubTool } from './tool.ts';

/** So much of a log's end is kept; what comes before is read over. */
const maxTailBytes = 2 * 1024 * 1024;
/** Of a run's failed jobs so many are shown. */
const maxJobs = 10;

const id = z.int().min(1).max(Number.MAX_SAFE_INTEGER);

const getJobLogs = defineTool({
  name: 'get_job_logs',
  title: 'Get logs of workflow jobs',
  description:
    'The end of the log of one job (job_id), or of every failed job of a run (run_id and failed_only). actions_list finds both numbers.',
  toolset: 'actions',
  input: z.object({
    owner,
    repo,
    job_id: id.optional().describe('A job'),
    run_id: id.optional().describe('A run, with failed_only'),
    failed_only: z.boolean().default(false).describe('The failed jobs of run_id'),
    tail_lines: z.int().min(1).max(10_000).default(500).describe('So many lines from the end'),
    offset,
  }),
  annotations: reads,
  async run(input, { api }) {
    const where = { owner: input.owner, repo: input.repo };
    if (input.job_id !== undefined) {
      if (input.run_id !== undefined || input.failed_only) return showError('Give job_id, or run_id with failed_only.');
      const { text, ...about } = await readTail(api, { ...where, job_id: input.job_id }, input.tail_lines);
      return showText({ job_id: input.job_id, ...about }, text, input.offset);
    }
    if (input.run_id === undefined || !input.failed_only) {
      return showError('Give job_id, or run_id with failed_only true. actions_list lists the jobs of a run.');
    }
    return showFailed(api, { ...where, run_id: input.run_id }, input.tail_lines);
  },
});

async function showFailed(api: GithubApi, where: { owner: string; repo: string; run_id: number }, tailLines: number) {
  const { data } = await api.rest.actions.listJobsForWorkflowRun({ ...where, filter: 'latest', per_page: 100 });
  const failed = data.jobs.filter(({ conclusion }) => conclusion === 'failure' || conclusion === 'timed_out');
  const shown = failed.slice(0, maxJobs);
  const { owner: of, repo: within, run_id } = where;
  const counts = { run_id, jobs: data.total_count, failed: failed.length, shown: shown.length };
  const { content } = showObject({
    ...counts,
    ...(data.total_count > data.jobs.length && { note: 'Only the first 100 jobs of the run were looked at.' }),
  });
  const room = Math.floor(maxTextLength / Math.max(1, shown.length));
  for (const { id: job_id, name, conclusion } of shown) {
    const about = { job_id, name, conclusion };
    try {
      const { text, ...log } = await readTail(api, { owner: of, repo: within, job_id }, tailLines);
      const cut = text.length > room && {
        note: `Cut at its beginning: get_job_logs with job_id ${job_id} shows more.`,
      };
      content.push(...showText({ ...about, ...log, ...cut }, text.slice(-room), 0).content);
    } catch (error) {
      // The others are still worth showing.
      const status = findRefusal(error)?.status;
      if (status !== 404 && status !== 410) throw error;
      content.push(...showObject({ ...about, note: 'No log: it is not written yet, or has expired.' }).content);
    }
  }
  return { content };
}

/** GitHub answers with the address of another host, see transport.ts. */
async function readTail(
  api: GithubApi,
  where: { owner: string; repo: string; job_id: number },
  tailLines: number,
): Promise<{ logBytes: number; lines: number; text: string }> {
  const request = { parseSuccessResponseBody: false };
  const { data } = await api.rest.actions.downloadJobLogsForWorkflowRun({ ...where, request });
  let log: Awaited<ReturnType<typeof readEnd>>;
  try {
    log = await readEnd((data ?? null) as Body, maxTailBytes);
  } catch (error) {
    throw new UnreadableAnswer(cutOff, { cause: error });
  }
  const text = stripVTControlCharacters(new TextDecoder().decode(log.end));
  const all = text.trimEnd().split(/\r?\n/);
  // Where the beginning was dropped, the first line is half a line.
  const lines = (log.end.length < log.totalBytes ? all.slice(1) : all).slice(-tailLines);
  return { logBytes: log.totalBytes, lines: lines.length, text: lines.join('\n') };
}

export const jobLogTools: readonly GithubTool[] = [getJobLogs];
