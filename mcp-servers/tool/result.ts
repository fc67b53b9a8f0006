import type { CallToolResult } from '@modelcontextprotocol/server';

/** One answer holds this much text, some 25,000 tokens; the rest is for the next call. */
export const maxTextLength = 100_000;
/** Bodies of issues, comments and reviews within a list are cut to this. */
const maxBodyLength = 4000;

/** A single object. Too long a text within it is cut and says so. */
export function showObject(value: object): CallToolResult {
  return text(shorten(value, maxTextLength / 2));
}

/** A single object for programs too: of a tool with an output schema. */
export function showStructured(value: object): CallToolResult {
  const json = shorten(value, maxTextLength / 2);
  return { ...text(json), structuredContent: JSON.parse(json) as Record<string, unknown> };
}

/** A page of a list: as many items as fit, and how to get the others. */
export function showList(
  items: readonly object[],
  at: { page: number; perPage: number; more: boolean; total?: number },
): CallToolResult {
  const shown: string[] = [];
  let length = 0;
  for (const item of items) {
    const json = shorten(item, maxBodyLength);
    length += json.length + 1;
    if (length > maxTextLength && shown.length > 0) break;
    shown.push(json);
  }
  const left = items.length - shown.length;
  const paging = {
    ...(at.total !== undefined && { totalCount: at.total }),
    page: at.page,
    perPage: at.perPage,
    nextPage: at.more && left === 0 ? at.page + 1 : null,
    ...(left > 0 && {
      note: `${left} more items of this page did not fit: ask again with perPage ${shown.length} or less.`,
    }),
  };
  return text(`{"items":[${shown.join(',')}],"paging":${JSON.stringify(paging)}}`);
}

/** A page whose Link header says whether another follows. */
export function showPage(items: readonly object[], at: { page: number; per_page: number }, link: string | undefined) {
  const more = link !== undefined && /rel="next"/.test(link);
  return showList(items, { page: at.page, perPage: at.per_page, more });
}

/** A long text from an offset on, with what is known about it before. */
export function showText(about: object, whole: string, offset: number): CallToolResult {
  const part = whole.slice(offset, offset + maxTextLength);
  const end = offset + part.length;
  const position = { offset, length: whole.length, nextOffset: end < whole.length ? end : null };
  return {
    content: [
      { type: 'text', text: JSON.stringify({ ...about, ...position }) },
      { type: 'text', text: part },
    ],
  };
}

export function showError(message: string): CallToolResult {
  return { content: [{ type: 'text', text: message }], isError: true };
}

function text(value: string): CallToolResult {
  return { content: [{ type: 'text', text: value }] };
}

function shorten(value: object, length: number): string {
  return JSON.stringify(value, (_key, field: unknown) => {
    if (typeof field === 'bigint') return String(field);
    return typeof field === 'string' ? cut(field, length) : field;
  });
}

function cut(value: string, length: number): string {
  return value.length <= length
    ? value
    : `${value.slice(0, length)}… [cut after ${length} of ${value.length} characters]`;
}
