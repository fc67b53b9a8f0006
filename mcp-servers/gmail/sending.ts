import type { ToolAnnotations } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { showStructured } from '../tool/result.ts';
import { replaces } from '../tool/tool.ts';
import { composeMail, mailInput } from './compose.ts';
import type { Message } from './payload.ts';
import { actOnce } from './result.ts';
import { defineTool, draftId, messageId } from './tool.ts';
import type { GmailTool } from './tool.ts';

/** Nobody takes a sent mail back, and again means twice. */
const sends: ToolAnnotations = {
  readOnlyHint: false,
  destructiveHint: true,
  idempotentHint: false,
  openWorldHint: true,
};

const unsure = 'It may have been sent all the same: look with search_threads and "in:sent" before sending again.';

const message = z.object({ messageId: z.string(), threadId: z.string(), labels: z.array(z.string()) });

const describe = ({ id, threadId, labelIds }: Message) => ({
  messageId: id ?? '',
  threadId: threadId ?? '',
  labels: labelIds ?? [],
});

const sendMessage = defineTool({
  name: 'send_message',
  title: 'Send a message',
  description:
    'Sends a mail at once, a new one or a reply. It cannot be taken back: create_draft lets a person look first.',
  need: 'leave',
  input: mailInput,
  output: message.extend({ to: z.array(z.string()).describe('Whom it went to, without copies') }),
  annotations: sends,
  async run(input, call) {
    const { api, signal } = call;
    const { raw, threadId, to } = await composeMail(input, call, 'mail');
    const requestBody = { raw, ...(threadId !== undefined && { threadId }) };
    return actOnce(signal, unsure, async () => {
      const { data } = await api.users.messages.send({ userId: api.userId, requestBody }, { signal });
      return showStructured({ ...describe(data), to });
    });
  },
});

const sendDraft = defineTool({
  name: 'send_draft',
  title: 'Send a draft',
  description: 'Sends a draft as it is to the recipients it names. It cannot be taken back; the draft is gone then.',
  need: 'leave',
  input: z.object({ draftId }),
  output: message,
  annotations: sends,
  async run(input, { api, signal }) {
    const requestBody = { id: input.draftId };
    return actOnce(signal, unsure, async () => {
      const { data } = await api.users.drafts.send({ userId: api.userId, requestBody }, { signal });
      return showStructured(describe(data));
    });
  },
});

const trashMessage = defineTool({
  name: 'trash_message',
  title: 'Move a message to the trash',
  description:
    'Moves one message to the trash, where Gmail deletes it after 30 days. Until then unlabel_message with TRASH brings it back.',
  need: 'leave',
  input: z.object({ messageId }),
  output: message,
  annotations: replaces,
  async run(input, { api, signal }) {
    const { data } = await api.users.messages.trash({ userId: api.userId, id: input.messageId }, { signal });
    return showStructured(describe(data));
  },
});

export const sendingTools: readonly GmailTool[] = [sendMessage, sendDraft, trashMessage];
