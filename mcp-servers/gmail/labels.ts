import { z } from 'zod';
import { showList, showStructured } from '../tool/result.ts';
import { reads, replaces } from '../tool/tool.ts';
import { BadArgument } from './failure.ts';
import { defineTool, messageId, threadId } from './tool.ts';
import type { GmailCall, GmailTool } from './tool.ts';

interface Label {
  readonly id: string;
  readonly name: string;
  readonly type: string;
}

async function getLabels({ api, signal }: GmailCall): Promise<Label[]> {
  const { data } = await api.users.labels.list({ userId: api.userId }, { signal });
  const labels = (data.labels ?? []).map(({ id, name, type }) => ({
    id: id ?? '',
    name: name ?? '',
    type: type === 'system' ? 'system' : 'user',
  }));
  return labels.toSorted((a, b) => a.type.localeCompare(b.type) || a.name.localeCompare(b.name));
}

const listLabels = defineTool({
  name: 'list_labels',
  title: 'List labels',
  description: "The mailbox's labels, Gmail's own (INBOX, UNREAD, STARRED, …) first, with their ids.",
  need: 'read',
  input: z.object({
    nameContains: z.string().max(200).default('').describe('Only labels whose name contains this, in any case'),
    page: z.int().min(1).max(10_000).default(1).describe('Page of the list, from 1'),
    perPage: z.int().min(1).max(500).default(200).describe('Labels per page, up to 500'),
  }),
  annotations: reads,
  async run({ nameContains, page, perPage }, call) {
    const all = await getLabels(call);
    const found = all.filter(({ name }) => name.toLowerCase().includes(nameContains.toLowerCase()));
    const items = found.slice((page - 1) * perPage, page * perPage);
    return showList(items, { page, perPage, more: page * perPage < found.length, total: found.length });
  },
});

/** Labels by which mail goes out of sight or away: trash_message is behind allowSend for that reason. */
const leaving = new Set(['TRASH', 'SPAM']);

/** Ids of labels given by name or id. Throws BadArgument, with the labels that exist. */
async function resolveLabels(call: GmailCall, wanted: readonly string[]): Promise<Label[]> {
  const labels = await getLabels(call);
  return wanted.map(label => {
    const lower = label.toLowerCase();
    const found = labels.find(({ id }) => id === label) ?? labels.find(({ name }) => name.toLowerCase() === lower);
    if (found !== undefined) return found;
    const names = labels.map(({ name }) => name);
    const more = names.length > 100 ? `, and ${names.length - 100} more: list_labels shows all` : '';
    throw new BadArgument(
      `There is no label "${label}". Use one of: ${names.slice(0, 100).join(', ')}${more}. New labels are made in Gmail.`,
    );
  });
}

const labels = z
  .array(z.string().min(1).max(225))
  .min(1)
  .max(50)
  .describe('Names or ids of labels, for example ["STARRED", "Invoices"]');

const output = z.object({
  id: z.string().describe('The thread or message'),
  changed: z.array(z.string()).describe('Names of the labels that were added or removed'),
  labels: z.array(z.string()).optional().describe('Ids of all labels of the message now'),
});

interface Change {
  readonly verb: 'label' | 'unlabel';
  readonly noun: 'thread' | 'message';
  readonly description: string;
}

function defineChange({ verb, noun, description }: Change): GmailTool {
  const adds = verb === 'label';
  const about = {
    name: `${verb}_${noun}`,
    title: `${adds ? 'Add labels to' : 'Remove labels from'} a ${noun}`,
    description,
    need: 'change' as const,
    output,
    // An added label hides nothing; a removed one may take mail out of the inbox.
    annotations: { ...replaces, destructiveHint: !adds },
  };
  const change = async (call: GmailCall, id: string, wanted: readonly string[]) => {
    const { api, signal } = call;
    const found = await resolveLabels(call, wanted);
    const gone = found.find(label => leaving.has(label.id));
    if (adds && gone !== undefined) {
      throw new BadArgument(
        `The label ${gone.name} takes mail out of the mailbox and is not set here. trash_message moves mail to the trash, where config has allowSend.`,
      );
    }
    const ids = found.map(label => label.id);
    const requestBody = adds ? { addLabelIds: ids } : { removeLabelIds: ids };
    const at = { userId: api.userId, id, requestBody };
    const changed = found.map(({ name }) => name);
    if (noun === 'thread') {
      await api.users.threads.modify(at, { signal });
      return showStructured({ id, changed });
    }
    const { data } = await api.users.messages.modify(at, { signal });
    return showStructured({ id, changed, labels: data.labelIds ?? [] });
  };
  return noun === 'thread'
    ? defineTool({
        ...about,
        input: z.object({ threadId, labels }),
        run: (input, call) => change(call, input.threadId, input.labels),
      })
    : defineTool({
        ...about,
        input: z.object({ messageId, labels }),
        run: (input, call) => change(call, input.messageId, input.labels),
      });
}

export const labelTools: readonly GmailTool[] = [
  listLabels,
  defineChange({
    verb: 'label',
    noun: 'thread',
    description: 'Adds labels to all messages of a thread. STARRED, IMPORTANT and UNREAD are labels too.',
  }),
  defineChange({
    verb: 'unlabel',
    noun: 'thread',
    description:
      'Removes labels from all messages of a thread. Without INBOX it is archived, without UNREAD it is read.',
  }),
  defineChange({
    verb: 'label',
    noun: 'message',
    description: 'Adds labels to one message. STARRED, IMPORTANT and UNREAD are labels too.',
  }),
  defineChange({
    verb: 'unlabel',
    noun: 'message',
    description: 'Removes labels from one message. Without INBOX it is archived, without UNREAD it is read.',
  }),
];
