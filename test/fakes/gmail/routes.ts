import type { gmail_v1 } from '@googleapis/gmail';
import type { VendorCall, VendorReply } from '../vendor.ts';
import { selectFields, showMessage } from './message.ts';
import { headerOf } from './mime.ts';
import { failed, invalid, notFound, ok } from './reply.ts';
import { addMessage } from './state.ts';
import type { State, StoredMessage } from './state.ts';

/** Answers a call that has passed authentication. */
export function answer(state: State, call: VendorCall): VendorReply {
  const match = /^\/gmail\/v1\/users\/([^/]+)\/(.+)$/.exec(call.path);
  if (match === null) return notFound();
  if (match[1] !== 'me' && match[1] !== state.address) {
    return failed(403, 'forbidden', `Delegation denied for ${state.address}`);
  }
  const reply = route(state, call, match[2]!.split('/'));
  const fields = call.query.get('fields');
  return reply.status === 200 && fields !== null ? { ...reply, body: selectFields(reply.body, fields) } : reply;
}

function route(state: State, call: VendorCall, [kind, id, part, partId]: string[]): VendorReply {
  const at = `${call.method} ${kind} ${id === undefined ? '' : id === 'send' ? 'send' : 'id'} ${part ?? ''}`.trim();
  switch (at) {
    case 'GET labels':
      return ok({ labels: state.labels });
    case 'GET threads':
      return listThreads(state, call.query);
    case 'GET threads id':
      return showThread(state, id!, call.query);
    case 'POST threads id modify':
      return modify(state, threadOf(state, id!), call);
    case 'GET messages id':
      return withMessage(state, id!, message => ok(showMessage(state, message, call.query)));
    case 'POST messages id modify':
      return withMessage(state, id!, message => modify(state, [message], call));
    case 'POST messages id trash':
      return withMessage(state, id!, message => {
        message.labelIds.delete('INBOX');
        message.labelIds.add('TRASH');
        return ok(showMessage(state, message, new URLSearchParams('format=minimal')));
      });
    case 'GET messages id attachments':
      return showAttachment(state, partId ?? '');
    case 'POST messages send':
      return send(state, call.body as gmail_v1.Schema$Message);
    case 'GET drafts':
      return listDrafts(state, call.query);
    case 'POST drafts':
      return createDraft(state, call.body as gmail_v1.Schema$Draft);
    case 'POST drafts send':
      return sendDraft(state, call.body as gmail_v1.Schema$Draft);
    case 'GET drafts id':
      return showDraft(state, id!, call.query);
    default:
      return notFound();
  }
}

const threadOf = ({ messages }: State, id: string) => messages.filter(message => message.threadId === id);

function withMessage({ messages }: State, id: string, show: (message: StoredMessage) => VendorReply): VendorReply {
  const message = messages.find(each => each.id === id);
  return message === undefined ? notFound() : show(message);
}

function listThreads(state: State, query: URLSearchParams): VendorReply {
  const hidden = query.get('includeSpamTrash') === 'true' ? [] : ['TRASH', 'SPAM'];
  const found = state.messages
    .toReversed()
    .filter(({ labelIds }) => !hidden.some(label => labelIds.has(label)))
    .filter(message => matches(message, query.get('q') ?? ''));
  const ids = [...new Set(found.map(({ threadId }) => threadId))];
  const { items, nextPageToken } = page(ids, query);
  const threads = items.map(id => ({ id, historyId: '1' }));
  const body: gmail_v1.Schema$ListThreadsResponse = { resultSizeEstimate: ids.length, ...nextPageToken };
  return ok({ ...body, ...(threads.length > 0 && { threads }) });
}

/** A small part of Gmail's search: from:, subject:, is:unread, in:sent and words of the subject. */
function matches({ mime, labelIds }: StoredMessage, q: string): boolean {
  const has = (name: string, text: string) => (headerOf(mime, name) ?? '').toLowerCase().includes(text.toLowerCase());
  return q
    .split(/\s+/)
    .filter(term => term !== '')
    .every(term => {
      const [operator, value] = term.split(':');
      if (value === undefined) return has('Subject', term);
      if (operator === 'is' || operator === 'in') return labelIds.has(value.toUpperCase());
      return has(operator!, value);
    });
}

/** Page tokens as opaque as Gmail's. */
function page<T>(all: readonly T[], query: URLSearchParams): { items: T[]; nextPageToken: { nextPageToken?: string } } {
  const size = Number(query.get('maxResults') ?? 100);
  const from = Number((query.get('pageToken') ?? 'page-0').slice('page-'.length));
  const more = from + size < all.length;
  return { items: all.slice(from, from + size), nextPageToken: more ? { nextPageToken: `page-${from + size}` } : {} };
}

function showThread(state: State, id: string, query: URLSearchParams): VendorReply {
  const messages = threadOf(state, id);
  const thread: gmail_v1.Schema$Thread = {
    id,
    historyId: '1',
    messages: messages.map(message => showMessage(state, message, query)),
  };
  return messages.length === 0 ? notFound() : ok(thread);
}

function modify(state: State, messages: readonly StoredMessage[], { body }: VendorCall): VendorReply {
  const { addLabelIds = [], removeLabelIds = [] } = body as gmail_v1.Schema$ModifyMessageRequest;
  const all = [...(addLabelIds ?? []), ...(removeLabelIds ?? [])];
  const unknown = all.find(id => ['SENT', 'DRAFT'].includes(id) || !state.labels.some(label => label.id === id));
  if (unknown !== undefined) return invalid(`Invalid label: ${unknown}`);
  if (messages.length === 0) return notFound();
  for (const { labelIds } of messages) {
    for (const id of addLabelIds ?? []) labelIds.add(id);
    for (const id of removeLabelIds ?? []) labelIds.delete(id);
  }
  return ok(showMessage(state, messages[0]!, new URLSearchParams('format=minimal')));
}

function showAttachment({ attachments }: State, id: string): VendorReply {
  const bytes = attachments.get(id);
  if (bytes === undefined) return invalid('Invalid attachment token');
  const body: gmail_v1.Schema$MessagePartBody = { size: bytes.length, data: bytes.toString('base64url') };
  return ok(body);
}

function send(state: State, message: gmail_v1.Schema$Message): VendorReply {
  const sent = addMessage(state, message, 'SENT');
  return sent === null ? invalid('Recipient address required') : ok(brief(sent));
}

const brief = ({ id, threadId, labelIds }: StoredMessage): gmail_v1.Schema$Message => ({
  id,
  threadId,
  labelIds: [...labelIds],
});

function createDraft(state: State, { message }: gmail_v1.Schema$Draft): VendorReply {
  const added = addMessage(state, message ?? {}, 'DRAFT');
  if (added === null) return invalid('Missing draft message');
  const id = `r-${state.nextId++}`;
  state.drafts.set(id, added.id);
  const draft: gmail_v1.Schema$Draft = { id, message: brief(added) };
  return ok(draft);
}

function listDrafts(state: State, query: URLSearchParams): VendorReply {
  const all = [...state.drafts].map(([id, messageId]) => ({
    id,
    message: state.messages.find(message => message.id === messageId)!,
  }));
  const found = all.toReversed().filter(({ message }) => matches(message, query.get('q') ?? ''));
  const { items, nextPageToken } = page(found, query);
  const drafts = items.map(({ id, message }) => ({ id, message: { id: message.id, threadId: message.threadId } }));
  const body: gmail_v1.Schema$ListDraftsResponse = { resultSizeEstimate: found.length, ...nextPageToken };
  return ok({ ...body, ...(drafts.length > 0 && { drafts }) });
}

function showDraft(state: State, id: string, query: URLSearchParams): VendorReply {
  return withMessage(state, state.drafts.get(id) ?? '', message =>
    ok({ id, message: showMessage(state, message, query) } satisfies gmail_v1.Schema$Draft),
  );
}

function sendDraft(state: State, { id }: gmail_v1.Schema$Draft): VendorReply {
  return withMessage(state, state.drafts.get(id ?? '') ?? '', message => {
    state.drafts.delete(id!);
    message.labelIds.delete('DRAFT');
    message.labelIds.add('SENT');
    return ok(brief(message));
  });
}
