import type { gmail_v1 } from '@googleapis/gmail';
import { seedMails } from './mails.ts';
import { headerOf, parseMime } from './mime.ts';
import type { MimePart } from './mime.ts';
import { createTokens } from './token.ts';
import type { Tokens } from './token.ts';

export interface StoredMessage {
  readonly id: string;
  readonly threadId: string;
  readonly labelIds: Set<string>;
  readonly internalDate: number;
  readonly raw: Buffer;
  readonly mime: MimePart;
}

export interface State {
  readonly tokens: Tokens;
  readonly address: string;
  /** Newest last. */
  readonly messages: StoredMessage[];
  readonly labels: gmail_v1.Schema$Label[];
  /** Message by draft. */
  readonly drafts: Map<string, string>;
  /** Gmail's attachment ids change with every answer; they lead to the bytes. */
  readonly attachments: Map<string, Buffer>;
  nextId: number;
}

const systemLabels = ['INBOX', 'SENT', 'DRAFT', 'TRASH', 'SPAM', 'UNREAD', 'STARRED', 'IMPORTANT'];

/** A mailbox with the mails of mails.ts, of which none is a draft, and two labels of its user's own. */
export function createState(): State {
  const start = Date.UTC(2026, 9, 1);
  return {
    tokens: createTokens(),
    address: 'me@example.com',
    messages: seedMails.map(({ id, threadId, labelIds, raw }, index) => ({
      id,
      threadId,
      labelIds: new Set(labelIds),
      internalDate: start + index * 60_000,
      raw,
      mime: parseMime(raw),
    })),
    labels: [
      ...systemLabels.map(name => ({ id: name, name, type: 'system' })),
      { id: 'Label_1', name: 'Invoices', type: 'user' },
      { id: 'Label_2', name: 'Projects/Moon', type: 'user' },
    ],
    drafts: new Map(),
    attachments: new Map(),
    nextId: 0x9000,
  };
}

/** A message of the mailbox's own: a draft, or one sent. Null when Gmail would not take it. */
export function addMessage(
  state: State,
  { raw, threadId }: gmail_v1.Schema$Message,
  label: 'DRAFT' | 'SENT',
): StoredMessage | null {
  const bytes = Buffer.from(raw ?? '', 'base64url');
  const mime = parseMime(bytes);
  const recipients = ['To', 'Cc', 'Bcc'].filter(name => headerOf(mime, name) !== undefined);
  if (label === 'SENT' && recipients.length === 0) return null;
  const id = (state.nextId++).toString(16);
  const message = {
    id,
    threadId: threadId ?? id,
    labelIds: new Set([label]),
    internalDate: Date.UTC(2026, 10, 1) + state.nextId,
    raw: bytes,
    mime,
  };
  state.messages.push(message);
  return message;
}
