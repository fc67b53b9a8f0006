import { z } from 'zod';
import type { Tool } from '../tool/tool.ts';
import type { FigmaApi } from './api.ts';

export type FigmaTool<Input extends z.ZodObject = z.ZodObject> = Tool<FigmaApi, Input>;

/** Keeps a tool's input type for its own `run` and forgets it for everyone else. */
export function defineTool<Input extends z.ZodObject>(tool: FigmaTool<Input>): FigmaTool {
  return tool;
}

export const page = z.int().min(1).max(10_000).default(1).describe('Page of the list, from 1');
export const perPage = z.int().min(1).max(200).default(50).describe('Results per page, up to 200');

/** How a list goes on; part of the output of every tool with pages. */
export const paging = z.object({
  page: z.number(),
  totalCount: z.number(),
  nextPage: z.number().nullable(),
  note: z.string().optional(),
});

/** One answer holds this much JSON, some 20,000 tokens. */
const maxItemsLength = 80_000;

/** As many of the items as fit an answer. */
export function fitItems<T>(items: readonly T[]): T[] {
  let length = 0;
  const fitting = items.findIndex(item => (length += JSON.stringify(item).length + 1) > maxItemsLength);
  return fitting === -1 ? [...items] : items.slice(0, Math.max(1, fitting));
}

/** A page of a list that is wholly there. */
export function takePage<T>(all: readonly T[], at: { page: number; perPage: number }) {
  const start = (at.page - 1) * at.perPage;
  const wanted = all.slice(start, start + at.perPage);
  const items = fitItems(wanted);
  const left = wanted.length - items.length;
  const more = start + wanted.length < all.length;
  return {
    items,
    paging: {
      page: at.page,
      totalCount: all.length,
      nextPage: more && left === 0 ? at.page + 1 : null,
      ...(left > 0 && {
        note: `${left} more items of this page did not fit: ask again with perPage ${items.length} or less.`,
      }),
    },
  };
}

/** Cut, and said so. */
export function cut(value: string, length: number): string {
  return value.length <= length
    ? value
    : `${value.slice(0, length)}… [cut after ${length} of ${value.length} characters]`;
}
