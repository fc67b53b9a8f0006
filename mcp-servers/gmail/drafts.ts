import { z } from 'zod';
import { showObject, showStructured } from '../tool/result.ts';
import { adds, reads } from '../tool/tool.ts';
import { composeMail, mailInput } from './compose.ts';
import { isoDate } from './messages.ts';
import { readHeader } from './payload.ts';
import { actOnce, cut, mapBounded } from './result.ts';
import { defineTool, pageToken, query } from './tool.ts';
import type { GmailTool } from './tool.ts';

const draftsAtOnce = 5;

const listDrafts = defineTool({
  name: 'list_drafts',
  title: 'List drafts',
  description: 'The drafts of the mailbox, each with recipients, subject and a snippet. get_message reads one whole.',
  need: 'read',
  input: z.object({
    query: query.default(''),
    pageSize: z.int().min(1).max(50).default(20).describe('Drafts per page, up to 50'),
    pageToken,
  }),
  annotations: reads,
  async run(input, { api, signal }) {
    const { data } = await api.users.drafts.list(
      {
        userId: api.userId,
        ...(input.query !== '' && { q: input.query }),
        maxResults: input.pageSize,
        ...(input.pageToken !== undefined && { pageToken: input.pageToken }),
      },
      { signal },
    );
    const items = await mapBounded(data.drafts ?? [], draftsAtOnce, async ({ id }) => {
      const fields = 'message(id,threadId,snippet,internalDate,payload/headers)';
      const at = { userId: api.userId, id: id!, format: 'metadata', fields };
      const { message } = (await api.users.drafts.get(at, { signal })).data;
      const header = (name: string) => cut(readHeader(message?.payload, name) ?? '', 300);
      return {
        draftId: id,
        messageId: message?.id,
        threadId: message?.threadId,
        to: header('To'),
        subject: header('Subject'),
        date: isoDate(message?.internalDate),
        snippet: cut(message?.snippet ?? '', 500),
      };
    });
    return showObject({ items, nextPageToken: data.nextPageToken ?? null });
  },
});

const createDraft = defineTool({
  name: 'create_draft',
  title: 'Create a draft',
  description:
    'Writes a draft, a new mail or a reply, and does not send it. The person finds it in Gmail; send_draft sends it where that is allowed.',
  need: 'change',
  input: mailInput,
  output: z.object({
    draftId: z.string(),
    messageId: z.string(),
    threadId: z.string(),
    to: z.array(z.string()).describe('Whom it would go to'),
    subject: z.string(),
  }),
  annotations: adds,
  async run(input, call) {
    const { api, signal } = call;
    const { raw, threadId, to, subject } = await composeMail(input, call, 'draft');
    const message = { raw, ...(threadId !== undefined && { threadId }) };
    return actOnce(signal, 'It may be there all the same: look with list_drafts before writing it again.', async () => {
      const { data } = await api.users.drafts.create({ userId: api.userId, requestBody: { message } }, { signal });
      return showStructured({
        draftId: data.id ?? '',
        messageId: data.message?.id ?? '',
        threadId: data.message?.threadId ?? '',
        to,
        subject,
      });
    });
  },
});

export const draftTools: readonly GmailTool[] = [listDrafts, createDraft];
