import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { headerOf, parseMime } from '../fakes/gmail/mime.ts';
import type { MimePart } from '../fakes/gmail/mime.ts';
import type { RecordedCall } from '../fakes/vendor.ts';
import { callTool, connectModern } from '../support/clients.ts';
import type { ToolAnswer } from '../support/clients.ts';
import { startFakeGmail, startGmailHost } from '../support/gmail.ts';
import type { FakeGmail } from '../support/gmail.ts';
import type { TestHost } from '../support/host.ts';

let gmail: FakeGmail;
let host: TestHost;
let client: Awaited<ReturnType<typeof connectModern>>;
beforeAll(async () => {
  gmail = await startFakeGmail();
  host = await startGmailHost(gmail);
  client = await connectModern(host);
});
afterAll(async () => {
  await client.close();
  await Promise.all([host.dispose(), gmail[Symbol.asyncDispose]()]);
});

const call = (name: string, args: Record<string, unknown> = {}): Promise<ToolAnswer> => callTool(client, name, args);

/** The structured result of a call that must succeed, and the requests that changed something. */
async function change(name: string, args: Record<string, unknown>) {
  await gmail.forgetCalls();
  const { isError, structuredContent, content } = await client.callTool({ name, arguments: args });
  expect(isError, JSON.stringify(content)).not.toBe(true);
  const calls = (await gmail.calls()).filter(({ path }) => path !== '/token');
  return {
    result: structuredContent as Record<string, unknown>,
    posts: calls.filter(({ method }) => method === 'POST'),
    gets: calls.filter(({ method }) => method === 'GET').map(({ path }) => path),
  };
}

function mailIn({ body }: RecordedCall): MimePart & { threadId: string | undefined } {
  type Sent = { raw: string; threadId?: string };
  const { message, ...direct } = body as Sent & { message?: Sent };
  const { raw, threadId } = message ?? direct;
  return { ...parseMime(Buffer.from(raw, 'base64url')), threadId };
}

const headers = (mail: MimePart, ...names: string[]) => names.map(name => headerOf(mail, name));

describe('labels', () => {
  test.each([
    ['label_thread', 'threads', 'threadId', { addLabelIds: ['Label_1', 'STARRED'] }],
    ['unlabel_thread', 'threads', 'threadId', { removeLabelIds: ['Label_1', 'STARRED'] }],
    ['label_message', 'messages', 'messageId', { addLabelIds: ['Label_1', 'STARRED'] }],
    ['unlabel_message', 'messages', 'messageId', { removeLabelIds: ['Label_1', 'STARRED'] }],
  ])('%s takes names and ids', async (name, kind, id, body) => {
    const { result, posts } = await change(name, { [id]: 'a001', labels: ['invoices', 'STARRED'] });
    expect(result).toMatchObject({ id: 'a001', changed: ['Invoices', 'STARRED'] });
    expect(posts).toMatchObject([{ path: `/gmail/v1/users/me/${kind}/a001/modify`, body }]);
    await change(name, { [id]: 'a001', labels: ['Label_1'] });
  });

  test('unknown labels and those that take mail away are refused, nothing is changed', async () => {
    await gmail.forgetCalls();
    const unknown = await call('label_thread', { threadId: 'a001', labels: ['INBOX', 'Holidays'] });
    expect(unknown).toEqual({
      isError: true,
      text: expect.stringMatching(/no label "Holidays".*INBOX.*Invoices, Projects\/Moon/),
    });
    for (const label of ['TRASH', 'spam']) {
      const away = await call('label_message', { messageId: 'a001', labels: [label] });
      expect(away).toEqual({ isError: true, text: expect.stringContaining('trash_message') });
    }
    expect((await gmail.calls()).filter(({ method }) => method === 'POST')).toEqual([]);
  });

  test('what Gmail refuses is told with its reason', async () => {
    const sent = await call('label_message', { messageId: 'a001', labels: ['SENT'] });
    expect(sent).toEqual({ isError: true, text: expect.stringMatching(/400: Invalid label: SENT/) });
  });
});

describe('drafts and mail', () => {
  test('create_draft writes what it was given, and sends nothing', async () => {
    const file = Buffer.from('%PDF-1.7 \0\xff', 'latin1');
    const { result, posts } = await change('create_draft', {
      to: ['Doe, Jörg <joerg@example.com>', 'b@example.com'],
      cc: ['c@example.com'],
      bcc: ['hidden@example.com'],
      subject: 'Grüße aus Köln',
      body: 'Zeile 1\nZeile 2 – Ende',
      htmlBody: '<p>Zeile 1</p>',
      attachments: [{ filename: 'Rechnung ä.pdf', mimeType: 'application/pdf', content: file.toString('base64') }],
    });
    expect(result).toMatchObject({ draftId: expect.stringMatching(/^r-/), to: ['joerg@example.com', 'b@example.com'] });
    expect(posts.map(({ path }) => path)).toEqual(['/gmail/v1/users/me/drafts']);
    const mail = mailIn(posts[0]!);
    expect(headers(mail, 'Cc', 'Bcc', 'From', 'In-Reply-To')).toEqual([
      'c@example.com',
      'hidden@example.com',
      undefined,
      undefined,
    ]);
    expect(headerOf(mail, 'To')).toMatch(/^=\?UTF-8\?[BQ]\?[^?]+\?= <joerg@example.com>, b@example.com$/);
    expect(headerOf(mail, 'Message-ID')).toMatch(/^<[\da-f-]+@minimcp.invalid>$/);
    expect(mail.mimeType).toBe('multipart/mixed');
    const [texts, attached] = mail.parts;
    expect(texts!.parts.map(({ mimeType, bytes }) => [mimeType, bytes.toString().trim()])).toEqual([
      ['text/plain', 'Zeile 1\r\nZeile 2 – Ende'],
      ['text/html', '<p>Zeile 1</p>'],
    ]);
    expect(attached).toMatchObject({ mimeType: 'application/pdf', bytes: file });
    const listed = JSON.parse((await call('list_drafts')).text) as { items: object[] };
    expect(listed.items[0]).toMatchObject({ draftId: result['draftId'], messageId: result['messageId'] });
    const read = await call('get_message', { messageId: result['messageId'] as string });
    expect(read.text).toMatch(/"subject":"Grüße aus Köln".*Zeile 1\nZeile 2 – Ende$/s);
  });

  test('a reply stays in its thread and goes to whom the sender asked', async () => {
    const { result, posts, gets } = await change('create_draft', { replyToMessageId: 'a003', body: 'Fine.' });
    expect(gets).toEqual(['/gmail/v1/users/me/messages/a003']);
    expect(result).toMatchObject({ threadId: 'a001', to: ['bob@work.example.com'], subject: 'Re: Lunch & more' });
    const mail = mailIn(posts[0]!);
    expect(mail.threadId).toBe('a001');
    expect(headers(mail, 'To', 'Subject', 'In-Reply-To', 'References')).toEqual([
      'bob@work.example.com',
      'Re: Lunch & more',
      '<a003@example.com>',
      '<a001@example.com> <a002@example.com> <a003@example.com>',
    ]);
    const first = await change('create_draft', { replyToMessageId: 'a001', to: ['x@example.com'], body: 'Fine.' });
    expect(headers(mailIn(first.posts[0]!), 'To', 'Subject', 'References')).toEqual([
      'x@example.com',
      'Re: Lunch & more',
      '<a001@example.com>',
    ]);
  });

  test('a sender who asks for answers to hundreds gets none by accident', async () => {
    await gmail.forgetCalls();
    const { isError, text } = await call('send_message', { replyToMessageId: 'd004', body: 'Hi.' });
    expect({ isError, text }).toEqual({ isError: true, text: expect.stringContaining('150 recipients; at most 100') });
    expect((await gmail.calls()).filter(({ path }) => path.endsWith('/send'))).toEqual([]);
  });

  test('drafts are listed in pages, and may still lack everything but a text', async () => {
    for (const body of ['one', 'two', 'three']) await change('create_draft', { body });
    const first = JSON.parse((await call('list_drafts', { pageSize: 2 })).text) as {
      items: { snippet: string }[];
      nextPageToken: string;
    };
    expect(first.items.map(({ snippet }) => snippet.trim())).toEqual(['three', 'two']);
    const rest = await call('list_drafts', { pageSize: 50, pageToken: first.nextPageToken });
    expect(JSON.parse(rest.text)).toMatchObject({ items: [{ snippet: expect.stringContaining('one') }, {}, {}, {}] });
  });

  test('send_draft sends the draft that exists', async () => {
    const draft = await change('create_draft', { to: ['a@example.com'], subject: 'S', body: 'B' });
    const { draftId } = draft.result;
    const { result, posts } = await change('send_draft', { draftId });
    expect(posts).toMatchObject([{ path: '/gmail/v1/users/me/drafts/send', body: { id: draftId } }]);
    expect(result).toMatchObject({ messageId: draft.result['messageId'], labels: ['SENT'] });
    expect(await call('send_draft', { draftId })).toEqual({ isError: true, text: expect.stringContaining('404') });
  });

  test('send_message sends at once, a reply in its thread', async () => {
    const { result, posts } = await change('send_message', { to: ['a@example.com'], subject: 'Hello', body: 'Hi.' });
    expect(posts.map(({ path }) => path)).toEqual(['/gmail/v1/users/me/messages/send']);
    expect(result).toMatchObject({
      labels: ['SENT'],
      to: ['a@example.com'],
      messageId: expect.stringMatching(/^[\da-f]+$/),
    });
    const mail = mailIn(posts[0]!);
    expect(headers(mail, 'To', 'Subject')).toEqual(['a@example.com', 'Hello']);
    expect([mail.mimeType, mail.bytes.toString().trim()]).toEqual(['text/plain', 'Hi.']);
    // To answer one's own mail means to write to the same people again.
    const again = await change('send_message', { replyToMessageId: result['messageId'], htmlBody: '<b>More</b>' });
    const reply = mailIn(again.posts[0]!);
    expect(headers(reply, 'To', 'Subject', 'In-Reply-To')).toEqual([
      'a@example.com',
      'Re: Hello',
      headerOf(mail, 'Message-ID'),
    ]);
    expect(reply.threadId).toBe(result['threadId']);
    expect(reply.mimeType).toBe('text/html');
  });

  test('trash_message moves to the trash, and unlabel_message brings back', async () => {
    const { result, posts } = await change('trash_message', { messageId: 'e010' });
    expect(posts).toMatchObject([{ path: '/gmail/v1/users/me/messages/e010/trash' }]);
    expect(result).toEqual({ messageId: 'e010', threadId: 'e010', labels: ['TRASH'] });
    const back = await change('unlabel_message', { messageId: 'e010', labels: ['TRASH'] });
    expect(back.result['labels']).toEqual([]);
  });

  test('where it is open whether a mail went out, the answer says so; a clear no does not', async () => {
    const mail = { to: ['a@example.com'], subject: 'S', body: 'B' };
    for (const kind of ['server-error', 'truncated'] as const) {
      await gmail.fail({ kind, path: '/messages/send$' });
      const { isError, text } = await call('send_message', mail);
      await gmail.fail(null);
      expect({ isError, text }, kind).toEqual({ isError: true, text: expect.stringContaining('in:sent') });
    }
    await gmail.fail({ kind: 'too-many', path: '/messages/send$' });
    expect((await call('send_message', mail)).text).not.toContain('in:sent');
    await gmail.fail({ kind: 'server-error', path: '/drafts$' });
    expect((await call('create_draft', mail)).text).toContain('list_drafts');
    await gmail.fail(null);
  });
});

const mail = { to: ['a@example.com'], subject: 'S', body: 'B' };
const file = (content: string, filename = 'f') => ({ filename, content });

test.each<[string, string, Record<string, unknown>]>([
  ['a second header in the subject', 'send_message', { ...mail, subject: 'S\r\nBcc: evil@example.com' }],
  ['a bare line feed in the subject', 'create_draft', { ...mail, subject: 'S\nX: y' }],
  ['a header in an address', 'send_message', { ...mail, to: ['a@example.com\r\nBcc: evil@example.com'] }],
  ['a header in a name', 'send_message', { ...mail, cc: ['A\nB <a@example.com>'] }],
  ['two addresses in one', 'send_message', { ...mail, to: ['a@example.com, b@example.com'] }],
  ['no address', 'send_message', { ...mail, bcc: ['nobody'] }],
  ['an address without a domain', 'create_draft', { ...mail, to: ['a@'] }],
  ['a hundred and one recipients', 'send_message', { ...mail, to: Array.from({ length: 101 }, () => 'a@example.com') }],
  [
    'too many recipients together',
    'send_message',
    { ...mail, to: Array.from({ length: 60 }, () => 'a@b.de'), cc: Array.from({ length: 60 }, () => 'a@b.de') },
  ],
  ['nobody to send to', 'send_message', { subject: 'S', body: 'B' }],
  ['no subject', 'send_message', { to: ['a@example.com'], body: 'B' }],
  ['no text', 'send_message', { to: ['a@example.com'], subject: 'S' }],
  ['a text too long', 'create_draft', { ...mail, body: 'x'.repeat(500_001) }],
  ['no base64', 'create_draft', { ...mail, attachments: [file('not base64!')] }],
  ['a line break in a file name', 'create_draft', { ...mail, attachments: [file('aGk=', 'a\r\nX: y')] }],
  ['a wrong media type', 'create_draft', { ...mail, attachments: [{ ...file('aGk='), mimeType: 'a/b\r\nX: y' }] }],
  [
    'an unknown field of an attachment',
    'create_draft',
    { ...mail, attachments: [{ ...file('aGk='), path: '/etc/x' }] },
  ],
  ['too large a file', 'create_draft', { ...mail, attachments: [file('A'.repeat(3_400_000))] }],
  [
    'files too large together',
    'create_draft',
    { ...mail, attachments: [file('A'.repeat(1_700_000)), file('A'.repeat(1_700_000))] },
  ],
  ['an unknown argument', 'send_message', { ...mail, from: 'boss@example.com' }],
  ['an id with dots', 'trash_message', { messageId: '..' }],
  ['an encoded slash', 'send_draft', { draftId: 'r-1%2F..' }],
  ['no labels', 'label_thread', { threadId: 'a001', labels: [] }],
  ['a reply to a path', 'create_draft', { ...mail, replyToMessageId: '../x' }],
])('%s never reaches Gmail', async (_what, name, args) => {
  await gmail.forgetCalls();
  const { isError, text } = await call(name, args);
  expect(isError, text).toBe(true);
  expect(await gmail.calls()).toEqual([]);
});
