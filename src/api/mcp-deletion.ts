import { z } from 'zod';
import { durationMs } from '../../specs/duration.ts';
import { instance } from '../../specs/instance.ts';
import { instanceExists, lockInstance, requestDeletion } from '../db/instances.ts';
import type { Api, ApiContext } from './context.ts';
import { noInstance, viewInstance } from './desired-state.ts';
import { replyInstance, requireMatch } from './etag.ts';
import { flag, ifMatchHeader, json, nameParameters } from './schemas.ts';
import { writeTransaction } from './write-transaction.ts';

const longestWaitMs = 300_000;
const lookMs = 1_000;

const wait = z
  .string()
  .refine(text => (durationMs(text) ?? Infinity) <= longestWaitMs, 'must be a duration of at most 5m, such as "10s"')
  .transform(text => durationMs(text)!)
  .optional()
  .describe('Answer when the instance is gone, or after this long');

/** Asking for the end of an instance. The process controller does it, and removes the row when it is proven. */
export function addMcpDeletion(app: Api, { pool, hub }: ApiContext): void {
  app.delete(
    '/mcps/:name',
    {
      config: { scope: 'write' },
      schema: {
        operationId: 'deleteInstance',
        summary: 'Ask for the deletion of an instance',
        tags: ['mcps'],
        params: nameParameters,
        querystring: z.strictObject({ dryRun: flag('Validate and answer what would be, and write nothing'), wait }),
        headers: ifMatchHeader,
        response: {
          200: json(instance, 'Gone: waited for; the instance as it was last seen'),
          202: json(instance, 'Asked for; it is gone when its process is proven gone'),
        },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const { dryRun, wait: waitMs } = request.query;
      const doomed = await writeTransaction(pool, dryRun, async tx => {
        const row = await lockInstance(tx, name);
        requireMatch(request, row);
        if (row === null) throw noInstance(name);
        if (row.deletion_requested_at === null) await requestDeletion(tx, row.uid);
        return await viewInstance(tx, name);
      });
      const isGone = waitMs !== undefined && !dryRun && (await goesWithin(doomed.metadata.uid, waitMs));
      return replyInstance(reply, isGone ? 200 : 202, doomed);
    },
  );

  /** Looks at every ring about the instance, and now and then for rings that were missed. */
  async function goesWithin(uid: string, waitMs: number): Promise<boolean> {
    const deadline = performance.now() + waitMs;
    for (;;) {
      if (!(await instanceExists(pool, uid))) return true;
      const restMs = deadline - performance.now();
      if (restMs <= 0 || hub.isClosed) return false;
      await hub.nextRing(uid, Math.min(restMs, lookMs));
    }
  }
}
