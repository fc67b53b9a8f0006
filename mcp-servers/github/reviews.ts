import { z } from 'zod';
import { showError, showStructured } from '../tool/result.ts';
import { bodyText, commitSha, filePath, owner, pullNumber, repo } from './arguments.ts';
import type { GithubApi } from './client.ts';
import { defineTool } from './tool.ts';
import type { GithubTool } from './tool.ts';

/** Reviews are listed oldest first; a pending one stands beyond this many pages only by accident. */
const maxPages = 10;

const side = z.enum(['LEFT', 'RIGHT']).optional();
const line = z.int().min(1).max(2_147_483_647);

const writeInput = z.object({
  method: z
    .enum(['create', 'submit_pending', 'delete_pending'])
    .describe(
      'create: a new review, pending without event; submit_pending: send my pending review, needs event; delete_pending: throw it away',
    ),
  owner,
  repo,
  pullNumber,
  event: z
    .enum(['APPROVE', 'REQUEST_CHANGES', 'COMMENT'])
    .optional()
    .describe('The verdict; REQUEST_CHANGES and COMMENT need a body'),
  body: bodyText.optional().describe('Text of the review, in Markdown'),
  commitID: commitSha.optional().describe('Commit that was reviewed; default: the present head'),
  comments: z
    .array(
      z.strictObject({
        path: filePath.min(1).describe('File, as get_files names it'),
        body: bodyText.min(1).describe('The comment, in Markdown'),
        line: line.describe('Line of the file; of several lines the last'),
        side: side.describe('RIGHT: the new file (default); LEFT: the old one'),
        start_line: line.optional().describe('First line, of a comment on several'),
        start_side: side.describe('Side of start_line'),
      }),
    )
    .max(100)
    .optional()
    .describe('Comments on lines; with create only'),
});
type WriteInput = z.output<typeof writeInput>;

interface Review {
  id: number;
  user: { login: string } | null;
  state: string;
  body: string;
  html_url: string;
  commit_id: string | null;
}

const show = ({ id, user, state, body, html_url, commit_id }: Review) =>
  showStructured({ id, user: user?.login, state, body, html_url, commit_id });

const writeMethods = {
  async create(input: WriteInput, api: GithubApi) {
    const { event, body, commitID, comments } = input;
    if (event !== undefined && event !== 'APPROVE' && body === undefined) return needsBody(event);
    const { data } = await api.rest.pulls.createReview({
      ...whereOf(input),
      ...(event !== undefined && { event }),
      ...(body !== undefined && { body }),
      ...(commitID !== undefined && { commit_id: commitID }),
      ...(comments !== undefined && { comments: comments.map(withoutHoles) }),
    });
    return show(data);
  },
  async submit_pending(input: WriteInput, api: GithubApi) {
    const { event, body, comments, commitID } = input;
    if (comments !== undefined || commitID !== undefined) return showError('comments and commitID go with "create".');
    if (event === undefined) return showError('pull_request_review_write with "submit_pending" needs an event.');
    if (event !== 'APPROVE' && body === undefined) return needsBody(event);
    const review_id = await findPending(input, api);
    if (review_id === null) return nonePending;
    const { data } = await api.rest.pulls.submitReview({
      ...whereOf(input),
      review_id,
      event,
      ...(body !== undefined && { body }),
    });
    return show(data);
  },
  async delete_pending(input: WriteInput, api: GithubApi) {
    const review_id = await findPending(input, api);
    if (review_id === null) return nonePending;
    const { data } = await api.rest.pulls.deletePendingReview({ ...whereOf(input), review_id });
    return show({ ...data, state: 'DELETED' });
  },
};

const needsBody = (event: string) => showError(`A review with ${event} needs a body that says why.`);
const nonePending = showError('There is no pending review of yours: begin one with method "create".');

const whereOf = (input: WriteInput) => ({ owner: input.owner, repo: input.repo, pull_number: input.pullNumber });

/** Only its author sees a pending review, and has no second one. */
async function findPending(input: WriteInput, api: GithubApi): Promise<number | null> {
  for (let page = 1; page <= maxPages; page += 1) {
    const { data } = await api.rest.pulls.listReviews({ ...whereOf(input), page, per_page: 100 });
    const pending = data.find(review => review.state === 'PENDING');
    if (pending !== undefined) return pending.id;
    if (data.length < 100) break;
  }
  return null;
}

type Comment = NonNullable<WriteInput['comments']>[number];

function withoutHoles({ path, body, line: end, side: of, start_line, start_side }: Comment) {
  return {
    path,
    body,
    line: end,
    ...(of !== undefined && { side: of }),
    ...(start_line !== undefined && { start_line }),
    ...(start_side !== undefined && { start_side }),
  };
}

const pullRequestReviewWrite = defineTool({
  name: 'pull_request_review_write',
  title: 'Write a review of a pull request',
  description:
    'Review a pull request: approve it, request changes or comment, with comments on lines; or submit or delete a review that is pending.',
  toolset: 'pull_requests',
  input: writeInput,
  output: z.object({
    id: z.number(),
    user: z.string().optional(),
    state: z.string(),
    body: z.string().nullish(),
    html_url: z.string(),
    commit_id: z.string().nullish(),
  }),
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  run: (input, { api }) => writeMethods[input.method](input, api),
});

export const reviewTools: readonly GithubTool[] = [pullRequestReviewWrite];
