import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { line, maxRecipients, parseAddress, recipients } from './address.ts';
import type { Address } from './address.ts';
import { BadArgument } from './failure.ts';
import { readHeader } from './payload.ts';
import { messageId } from './tool.ts';
import type { GmailCall } from './tool.ts';

/** All attachments of a mail together, in bytes; in base64 they have to fit into one MCP request of 4 MiB. */
const maxAttachmentBytes = 2_500_000;
const maxBase64Length = Math.ceil(maxAttachmentBytes / 3) * 4;

const attachment = z.strictObject({
  filename: line(255).min(1).describe('Name of the file, without a path'),
  mimeType: z
    .string()
    .max(127)
    .regex(/^[\w.+-]+\/[\w.+-]+$/, 'must be like application/pdf')
    .default('application/octet-stream')
    .describe('For example application/pdf'),
  content: z
    .string()
    .max(maxBase64Length, { abort: true })
    .refine(isBase64, 'must be base64')
    .describe('The file in base64; all files together up to 2.5 MB'),
});

export const mailInput = z.object({
  to: recipients.describe('Recipients; may be left out in a reply, which then goes to whom it answers'),
  cc: recipients.describe('Recipients of a copy'),
  bcc: recipients.describe('Recipients of a copy whom the others do not see'),
  subject: line(900).optional().describe('Subject; a reply has that of the message it answers'),
  body: z.string().max(500_000).optional().describe('The text, plain'),
  htmlBody: z.string().max(1_000_000).optional().describe('The text as HTML, in place of body or beside it'),
  attachments: z.array(attachment).max(20).default([]).describe('Small files to send along'),
  replyToMessageId: messageId.optional().describe('Answer this message, in its thread'),
});
type MailInput = z.output<typeof mailInput>;

export interface Mail {
  /** RFC 5322, in base64url. */
  readonly raw: string;
  readonly threadId?: string;
  readonly to: readonly string[];
  readonly subject: string;
}

/**
 * A mail from a tool's arguments, and from the message it answers. A draft may still lack recipients and subject.
 * Throws BadArgument.
 */
export async function composeMail(input: MailInput, call: GmailCall, as: 'draft' | 'mail'): Promise<Mail> {
  checkContent(input);
  checkCrowd(input.to.length + input.cc.length + input.bcc.length);
  const original = input.replyToMessageId === undefined ? null : await getOriginal(input.replyToMessageId, call);
  const given = input.to.map(text => parseAddress(text)!);
  const to = given.length > 0 ? given : (original?.sender ?? []);
  const cc = input.cc.map(text => parseAddress(text)!);
  const bcc = input.bcc.map(text => parseAddress(text)!);
  if (as === 'mail' && to.length + cc.length + bcc.length === 0) {
    throw new BadArgument(
      'Give at least one recipient in to, cc or bcc, or a replyToMessageId whose sender to answer.',
    );
  }
  // A sender may ask for answers to thousands.
  checkCrowd(to.length + cc.length + bcc.length);
  const subject = input.subject ?? original?.subject ?? (as === 'draft' ? '' : undefined);
  if (subject === undefined) throw new BadArgument('Give a subject, or a replyToMessageId to answer.');
  const raw = await buildMime({ ...input, subject, to, cc, bcc, thread: original?.references ?? [] });
  return {
    raw: raw.toString('base64url'),
    ...(original !== null && { threadId: original.threadId }),
    to: to.map(({ address }) => address),
    subject,
  };
}

function checkContent({ body, htmlBody, attachments }: MailInput): void {
  if (body === undefined && htmlBody === undefined) throw new BadArgument('Give a body or an htmlBody.');
  const bytes = attachments.reduce((sum, { content }) => sum + Buffer.byteLength(content, 'base64'), 0);
  if (bytes > maxAttachmentBytes) {
    throw new BadArgument(
      `The attachments have ${bytes} bytes together; up to ${maxAttachmentBytes} are possible here. Send a link instead.`,
    );
  }
}

function checkCrowd(count: number): void {
  if (count <= maxRecipients) return;
  throw new BadArgument(
    `These are ${count} recipients; at most ${maxRecipients} together are possible. Name them in to.`,
  );
}

interface Original {
  readonly threadId: string;
  readonly subject: string;
  readonly sender: readonly Address[];
  /** Message-IDs from the thread's first message to the one that is answered. */
  readonly references: readonly string[];
}

/** What a reply takes over. It was written by others: only addresses and ids that are well formed are used. */
async function getOriginal(id: string, { api, signal }: GmailCall): Promise<Original> {
  const metadataHeaders = ['Message-ID', 'References', 'Subject', 'From', 'Reply-To', 'To'];
  const at = { userId: api.userId, id, format: 'metadata', metadataHeaders };
  const { data } = await api.users.messages.get(at, { signal });
  const header = (name: string) => (readHeader(data.payload, name) ?? '').replaceAll(/\p{Cc}+/gu, ' ').trim();
  const messageIds = (text: string): string[] => text.match(/<[!-;=?-~]{1,500}>/g) ?? [];
  const subject = header('Subject').slice(0, 800);
  // An answer to a mail of one's own goes to whom that went.
  const mine = data.labelIds?.includes('SENT') === true;
  const replyTo = await readAddresses(header(mine ? 'To' : 'Reply-To'));
  return {
    threadId: data.threadId ?? id,
    subject: /^re:/i.test(subject) ? subject : `Re: ${subject}`,
    sender: replyTo.length > 0 ? replyTo : await readAddresses(header('From')),
    // The first names the thread, the last are the nearest; a header of thousands would be refused.
    references: keepEnds([...messageIds(header('References')), ...messageIds(header('Message-ID')).slice(0, 1)], 20),
  };
}

function keepEnds<T>(all: readonly T[], count: number): readonly T[] {
  return all.length <= count ? all : [all[0]!, ...all.slice(1 - count)];
}

async function readAddresses(header: string): Promise<Address[]> {
  const { default: parse } = await import('nodemailer/lib/addressparser');
  return parse(header, { flatten: true })
    .map(({ address }) => parseAddress(address ?? ''))
    .filter(address => address !== null);
}

async function buildMime(
  mail: Omit<MailInput, 'to' | 'cc' | 'bcc' | 'subject'> & {
    to: readonly Address[];
    cc: readonly Address[];
    bcc: readonly Address[];
    subject: string;
    thread: readonly string[];
  },
): Promise<Buffer> {
  const { default: MailComposer } = await import('nodemailer/lib/mail-composer');
  const answered = mail.thread.at(-1);
  const node = new MailComposer({
    to: [...mail.to],
    cc: [...mail.cc],
    bcc: [...mail.bcc],
    subject: mail.subject,
    // The default would tell this machine's name.
    messageId: `<${randomUUID()}@minimcp.invalid>`,
    ...(mail.body !== undefined && { text: lines(mail.body) }),
    ...(mail.htmlBody !== undefined && { html: lines(mail.htmlBody) }),
    ...(answered !== undefined && { inReplyTo: answered, references: [...mail.thread] }),
    attachments: mail.attachments.map(({ filename, mimeType, content }) => ({
      filename,
      contentType: mimeType,
      contentDisposition: 'attachment',
      content: Buffer.from(content, 'base64'),
    })),
    disableFileAccess: true,
    disableUrlAccess: true,
  }).compile();
  // Gmail reads the hidden recipients from the header, and takes it off when it sends.
  node.keepBcc = true;
  return node.build();
}

/** Mail's lines end with both; nodemailer leaves them as they are. */
function lines(text: string): string {
  return text.replaceAll(/\r\n|\r|\n/g, '\r\n');
}

function isBase64(text: string): boolean {
  return text.length % 4 === 0 && !/[^A-Za-z0-9+/=]/.test(text) && /^[^=]*={0,2}$/.test(text);
}
