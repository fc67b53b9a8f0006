import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gmailConfig } from '../../specs/types/gmail.ts';
import { longBody } from '../fakes/gmail/mails.ts';
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
  // As it comes: nothing but reading.
  host = await startGmailHost(gmail, { config: {} });
  client = await connectModern(host);
});
afterAll(async () => {
  await client.close();
  await Promise.all([host.dispose(), gmail[Symbol.asyncDispose]()]);
});

const call = (name: string, args: Record<string, unknown> = {}): Promise<ToolAnswer> => callTool(client, name, args);

/** The JSON of an answer that must be none of an error. */
async function read<T = Record<string, unknown>>(name: string, args: Record<string, unknown> = {}): Promise<T> {
  const answer = await call(name, args);
  expect(answer.isError, answer.text).toBe(false);
  return JSON.parse(answer.text) as T;
}

/** What is known about a message, and its text. */
async function readMessage(messageId: string, offset = 0): Promise<{ about: Record<string, unknown>; body: string }> {
  const { isError, text } = await call('get_message', { messageId, offset });
  expect(isError, text).toBe(false);
  const [about, ...body] = text.split('\n');
  return { about: JSON.parse(about!) as Record<string, unknown>, body: body.join('\n') };
}

const readingTools = ['search_threads', 'get_thread', 'get_message', 'get_attachment', 'list_labels', 'list_drafts'];
const changingTools = ['label_thread', 'unlabel_thread', 'label_message', 'unlabel_message', 'create_draft'];
const leavingTools = ['send_message', 'send_draft', 'trash_message'];

interface Threads {
  items: Record<string, unknown>[];
  nextPageToken: string | null;
}

describe('reading', () => {
  test('search_threads finds, sums up and pages on', async () => {
    await gmail.forgetCalls();
    const found = await read<Threads>('search_threads', { query: 'subject:lunch is:unread' });
    expect(found).toMatchObject({ resultSizeEstimate: 1, nextPageToken: null });
    expect(found.items).toEqual([
      {
        threadId: 'a001',
        subject: 'Lunch & more',
        from: 'Bob <bob@example.com>',
        to: 'me@example.com, anna@example.com',
        date: '2026-10-01T00:50:00.000Z',
        messages: 3,
        unread: true,
        labels: ['INBOX', 'UNREAD'],
        snippet: 'I come too.',
      },
    ]);
    const calls = (await gmail.calls()).filter(({ path }) => path !== '/token');
    expect(calls.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /gmail/v1/users/me/threads',
      'GET /gmail/v1/users/me/threads/a001',
    ]);
    expect(Object.fromEntries(new URLSearchParams(calls[0]!.query))).toEqual({
      q: 'subject:lunch is:unread',
      maxResults: '20',
      includeSpamTrash: 'false',
    });
    expect(new URLSearchParams(calls[1]!.query).get('format')).toBe('metadata');

    const subjects: unknown[] = [];
    let pageToken: string | null = null;
    do {
      const more: object = pageToken === null ? {} : { pageToken };
      const page: Threads = await read<Threads>('search_threads', { query: 'report', pageSize: 12, ...more });
      subjects.push(...page.items.map(({ subject }) => subject));
      pageToken = page.nextPageToken;
    } while (pageToken !== null);
    expect(subjects).toEqual(Array.from({ length: 30 }, (_, index) => `Report ${30 - index}`));
    expect(await read('search_threads', { query: 'nothing-like-this' })).toMatchObject({ items: [] });
  });

  test('get_thread shows the conversation in order, with attachments', async () => {
    const thread = await read<{ messages: Record<string, unknown>[] }>('get_thread', { threadId: 'a001' });
    expect(thread).toMatchObject({ threadId: 'a001', totalMessages: 3, nextOffset: null });
    expect(thread.messages).toMatchObject([
      { id: 'a001', body: 'Shall we have lunch?', attachments: [] },
      { id: 'a002', body: 'Yes, on Friday.' },
      { id: 'a003', from: 'Bob <bob@example.com>', replyTo: '"Bob, at work" <bob@work.example.com>' },
    ]);
  });

  test('a long thread comes in parts of bounded size', async () => {
    const subjects: unknown[] = [];
    for (let offset: number | null = 0; offset !== null;) {
      const { isError, text }: ToolAnswer = await call('get_thread', { threadId: 'f010', offset });
      expect(isError, text).toBe(false);
      expect(text.length).toBeLessThan(100_000);
      const part = JSON.parse(text) as { messages: { subject: string; body: string }[]; nextOffset: number | null };
      expect(part.messages[0]!.body).toMatch(/^Part \d+: word .*cut after 8000 of \d+ characters\]$/s);
      subjects.push(...part.messages.map(({ subject }) => subject));
      offset = part.nextOffset;
    }
    expect(subjects).toEqual(Array.from({ length: 12 }, (_, index) => `Long ${index + 1}`));
  });

  test('get_message prefers the plain text and lists the attachments', async () => {
    const { about, body } = await readMessage('b001');
    expect(body).toBe('The plain text.');
    expect(about).toMatchObject({ id: 'b001', from: 'shop@example.com', subject: 'Your order', labels: ['INBOX'] });
    expect(about['attachments']).toEqual([
      { id: '1', filename: 'prices.csv', mimeType: 'text/csv', size: 24, inline: false },
      { id: '2', filename: 'logo.png', mimeType: 'application/octet-stream', size: 16, inline: true },
      { id: '3', filename: 'bill.pdf', mimeType: 'application/pdf', size: 14, inline: false },
      { id: '4', filename: 'huge.zip', mimeType: 'application/zip', size: 614_400, inline: false },
      { id: '5', filename: 'forwarded.eml', mimeType: 'message/rfc822', size: 69, inline: false },
    ]);
  });

  test('get_message makes text of HTML, and of old charsets and encoded headers', async () => {
    const { body } = await readMessage('c001');
    expect(body).toBe('News\n\nPrice: 5 €\n\nRead on [https://example.com/a]');
    const latin = await readMessage('d001');
    expect(latin.about).toMatchObject({ from: 'André Dupont <andre@example.com>', subject: 'Grüße aus Köln' });
    expect(latin.body).toBe('Où est le café ?');
    expect((await readMessage('d002')).body).toBe('こんにちは');
  });

  test('get_message pages through a long text, which Gmail gives apart', async () => {
    let whole = '';
    for (let offset: number | null = 0; offset !== null;) {
      const { about, body } = await readMessage('d003', offset);
      whole += body;
      offset = about['nextOffset'] as number | null;
    }
    expect(whole).toBe(longBody);
  });

  test('get_attachment shows text, images and small files, and says when one is too large', async () => {
    const ask = (attachmentId: string) =>
      client.callTool({ name: 'get_attachment', arguments: { messageId: 'b001', attachmentId } });
    expect((await ask('1')).content[1]).toEqual({ type: 'text', text: 'article;price\ncafé;3,50\n' });
    // Its bytes say that it is an image, whatever the sender called it.
    expect((await ask('2')).content[1]).toMatchObject({ type: 'image', mimeType: 'image/png' });
    expect((await ask('3')).content[1]).toEqual({
      type: 'resource',
      resource: {
        uri: 'gmail://messages/b001/attachments/3',
        mimeType: 'application/pdf',
        blob: Buffer.from('%PDF-1.7\0small').toString('base64'),
      },
    });
    expect((await ask('5')).content[1]).toMatchObject({ text: expect.stringContaining('Text of a forwarded mail.') });
    await gmail.forgetCalls();
    const huge = await call('get_attachment', { messageId: 'b001', attachmentId: '4' });
    expect(huge).toEqual({ isError: true, text: expect.stringMatching(/huge.zip.* 614400 bytes.*up to 524288/) });
    expect((await gmail.calls()).map(({ path }) => path)).toEqual(['/gmail/v1/users/me/messages/b001']);
    const none = await call('get_attachment', { messageId: 'b001', attachmentId: '9' });
    expect(none).toEqual({ isError: true, text: expect.stringMatching(/no attachment "9".*1 \(prices.csv\), 2 /) });
  });

  test('list_labels tells names and ids, in pages', async () => {
    const all = await read<{ items: object[] }>('list_labels');
    expect(all.items).toContainEqual({ id: 'Label_2', name: 'Projects/Moon', type: 'user' });
    expect(all.items).toContainEqual({ id: 'INBOX', name: 'INBOX', type: 'system' });
    expect(await read('list_labels', { nameContains: 'MOON' })).toMatchObject({ items: [{ id: 'Label_2' }] });
    const second = await read('list_labels', { perPage: 4, page: 3 });
    expect(second).toMatchObject({ items: [{}, {}], paging: { totalCount: 10, nextPage: null } });
  });

  test('a named mailbox is asked for by its address', async () => {
    await using other = await startGmailHost(gmail, { config: { user: 'me@example.com' } });
    const named = await connectModern(other);
    await gmail.forgetCalls();
    expect((await callTool(named, 'get_message', { messageId: 'a001' })).isError).toBe(false);
    const [, asked] = await gmail.calls();
    expect(asked?.path).toBe('/gmail/v1/users/me@example.com/messages/a001');
    await named.close();
  });
});

describe('what is offered', () => {
  test('by default reading alone; hidden tools fail by name too, without a call', async () => {
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(readingTools);
    expect(tools.every(({ annotations }) => annotations?.readOnlyHint === true)).toBe(true);
    await gmail.forgetCalls();
    const args: Record<string, Record<string, unknown>> = {
      trash_message: { messageId: 'a001' },
      send_draft: { draftId: 'r-1' },
      create_draft: { to: ['x@example.com'], subject: 's', body: 'b' },
    };
    for (const name of [...changingTools, ...leavingTools]) {
      await expect(client.callTool({ name, arguments: args[name] ?? {} }), name).rejects.toThrow(name);
    }
    expect(await gmail.calls()).toEqual([]);
  });

  test.each([
    [{ readOnly: false }, [...readingTools, ...changingTools]],
    [{ readOnly: false, allowSend: true }, [...readingTools, ...changingTools, ...leavingTools]],
  ])('with %o', async (config, names) => {
    await using other = await startGmailHost(gmail, { config });
    const more = await connectModern(other);
    const { tools } = await more.listTools();
    expect(tools.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
    for (const tool of tools) {
      expect(tool.annotations?.readOnlyHint, tool.name).toBe(readingTools.includes(tool.name));
      expect(tool.description!.length, tool.name).toBeGreaterThan(20);
      for (const [name, schema] of Object.entries(tool.inputSchema.properties ?? {})) {
        expect((schema as { description?: string }).description, `${tool.name}.${name}`).toBeTruthy();
      }
    }
    if (!('allowSend' in config)) {
      await gmail.forgetCalls();
      for (const name of leavingTools) await expect(more.callTool({ name, arguments: {} })).rejects.toThrow(name);
      expect(await gmail.calls()).toEqual([]);
    }
    await more.close();
  });

  test('a config that contradicts itself is refused, with what to do', async () => {
    expect(gmailConfig.parse({})).toEqual({ readOnly: true, allowSend: false, user: 'me' });
    for (const config of [{ allowSend: true }, { allowSend: true, readOnly: true }]) {
      const refused = gmailConfig.safeParse(config);
      expect(refused.error?.issues).toMatchObject([
        { path: ['allowSend'], message: expect.stringContaining('needs readOnly: false') },
      ]);
    }
    for (const user of ['..', 'me/../x', 'a@b/../c', '', 'someone']) {
      expect(gmailConfig.safeParse({ user }).success, user).toBe(false);
    }
    await using wrong = await startGmailHost(gmail, { config: { allowSend: true } });
    expect((await wrong.exited).code).toBe(78);
    expect(wrong.exit()).toMatchObject({
      reason: 'misconfigured',
      message: expect.stringContaining('readOnly: false'),
    });
  });
});

test.each<[string, Record<string, unknown>]>([
  ['search_threads', { query: 'x', unknown: 1 }],
  ['search_threads', { query: 'x'.repeat(2001) }],
  ['search_threads', { pageSize: 51 }],
  ['search_threads', { pageToken: 'a b' }],
  ['get_thread', { threadId: '..' }],
  ['get_thread', { threadId: 'a001/../../x' }],
  ['get_thread', { threadId: 'a001', offset: -1 }],
  ['get_message', { messageId: 'a%2F..%2Fb' }],
  ['get_message', { messageId: 'a/b' }],
  ['get_message', { messageId: '' }],
  ['get_message', { messageId: 'a'.repeat(129) }],
  ['get_message', {}],
  ['get_attachment', { messageId: 'b001', attachmentId: '1/2' }],
  ['get_attachment', { messageId: '.', attachmentId: '1' }],
  ['list_labels', { perPage: 0 }],
  ['list_drafts', { pageSize: 'many' }],
])('%s %o never reaches Gmail', async (name, args) => {
  await gmail.forgetCalls();
  expect((await call(name, args)).isError).toBe(true);
  expect(await gmail.calls()).toEqual([]);
});
