import type { FigmaClient } from './client.ts';
import type { Drawings } from './drawings.ts';
import type { Queue } from './queue.ts';

/** What the tools work with: the way to Figma, and what is remembered of it. */
export interface FigmaApi {
  readonly client: FigmaClient;
  readonly drawings: Drawings;
  readonly reading: Queue;
}
