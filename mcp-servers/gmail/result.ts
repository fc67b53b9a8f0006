import type { CallToolResult } from '@modelcontextprotocol/server';
import { showError } from '../tool/result.ts';
import { explainFailure, isGone, isRefused } from './errors.ts';

/**
 * For what must not happen twice: an error that leaves open whether it has happened says so, and how to find out.
 * Throws what is a clear no.
 */
export async function actOnce(
  signal: AbortSignal,
  unsure: string,
  act: () => Promise<CallToolResult>,
): Promise<CallToolResult> {
  try {
    return await act();
  } catch (error) {
    if (isRefused(error)) throw error;
    return showError(`${explainFailure(signal.aborted ? signal.reason : error, Date.now())} ${unsure}`);
  }
}

/** A text within an answer, of bounded length; says what is missing. */
export function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}… [cut after ${length} of ${text.length} characters]`;
}

/**
 * `each` over what was listed, at most `atOnce` at a time, in its order. What is gone meanwhile is left out; after
 * any other failure none is begun.
 */
export async function mapBounded<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  each: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const entries = items.entries();
  let failed = false;
  const work = async () => {
    // One iterator for all workers: each takes the next item that nobody has taken.
    for (const [index, item] of entries) {
      if (failed) return;
      try {
        results[index] = await each(item);
      } catch (error) {
        if (isGone(error)) continue;
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  // Those left out are holes.
  return results.filter(() => true);
}
