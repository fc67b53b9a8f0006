import { instance, leaseWrite } from '../../specs/instance.ts';
import type { Instance } from '../../specs/instance.ts';
import { z } from 'zod';
import { readInstanceByName } from '../db/instance-view.ts';
import { lockInstance } from '../db/instances.ts';
import type { InstanceRow } from '../db/instances.ts';
import { databaseNow } from '../db/pool.ts';
import type { Queryable } from '../db/pool.ts';
import { bumpGeneration, hasEnded } from './change.ts';
import type { Api, ApiContext } from './context.ts';
import { endLease, readLease } from './declaration.ts';
import { applyAction, mintToken, requireWritable, untilText, viewInstance } from './desired-state.ts';
import { replyInstance } from './etag.ts';
import { ApiProblem, invalidBody } from './problem.ts';
import { json, nameParameters, writeQuery } from './schemas.ts';
import { writeTransaction } from './write-transaction.ts';

/** What people do to an instance: extend, restore, restart. */
export function addMcpActions(app: Api, { pool, vault }: ApiContext): void {
  const schema = { tags: ['mcps'], params: nameParameters, querystring: writeQuery };

  app.post(
    '/mcps/:name/extend',
    {
      config: { scope: 'write' },
      schema: {
        ...schema,
        operationId: 'extendInstance',
        summary: 'Set when the lease ends, from now on (ttl) or at a time; null = never',
        body: leaseWrite,
        response: { 200: json(instance, 'With the new end') },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      return replyInstance(
        reply,
        200,
        await act(name, request.query.dryRun, async (tx, row, now) => {
          refuseEnded(row, now);
          const expiresAt = leaseEnd(request.body, now);
          if (expiresAt?.getTime() === row.expires_at?.getTime()) return;
          await applyAction(tx, row, bumpGeneration(row, { expiresAt }), {
            reason: 'Extended',
            message: `The lease ${untilText(expiresAt)}; before, it ${untilText(row.expires_at)}`,
          });
        }),
      );
    },
  );

  app.post(
    '/mcps/:name/restore',
    {
      config: { scope: 'write' },
      schema: {
        ...schema,
        operationId: 'restoreInstance',
        summary: 'Bring an expired or stopped instance back, with a new token',
        body: leaseWrite,
        response: { 200: json(instance, 'With the new lease') },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      return replyInstance(
        reply,
        200,
        await act(name, request.query.dryRun, async (tx, row, now) => {
          if (row.running && !hasEnded(row, now) && (await readInstanceByName(tx, name))?.phase !== 'Stopped') {
            throw new ApiProblem(
              'LeaseHolds',
              `"${name}" is neither expired nor stopped; use extend to change its lease`,
            );
          }
          const expiresAt = leaseEnd(request.body, now);
          // A new process generation releases what ended under its restart policy.
          await applyAction(tx, row, bumpGeneration(row, { expiresAt, running: true, restartProcess: true }), {
            reason: 'Restored',
            message: `Restored; the lease ${untilText(expiresAt)}`,
          });
          await mintToken(tx, vault, row.uid);
        }),
      );
    },
  );

  app.post(
    '/mcps/:name/restart',
    {
      config: { scope: 'write' },
      schema: {
        ...schema,
        operationId: 'restartInstance',
        summary: 'Replace the process by a new one',
        body: z.strictObject({}).optional(),
        response: { 200: json(instance, 'With a new generation') },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      return replyInstance(
        reply,
        200,
        await act(name, request.query.dryRun, async (tx, row, now) => {
          refuseEnded(row, now);
          if (!row.running) throw new ApiProblem('Stopped', `"${name}" is stopped; use restore to bring it back`);
          await applyAction(tx, row, bumpGeneration(row, { restartProcess: true }), {
            reason: 'SpecChanged',
            message: 'A restart was asked for',
          });
        }),
      );
    },
  );

  /** One action on the locked instance; what it leaves is the answer. */
  async function act(
    name: string,
    isDryRun: boolean,
    work: (tx: Queryable, row: InstanceRow, now: Date) => Promise<void>,
  ): Promise<Instance> {
    return await writeTransaction(pool, isDryRun, async tx => {
      const row = requireWritable(await lockInstance(tx, name), name);
      // Read after the lock was waited for, so that an expiry that came first is seen.
      await work(tx, row, await databaseNow(tx));
      return await viewInstance(tx, name);
    });
  }
}

function leaseEnd(body: z.infer<typeof leaseWrite>, now: Date): Date | null {
  const lease = readLease(body, '');
  if ('message' in lease) throw invalidBody([lease]);
  return endLease(lease, now, '');
}

function refuseEnded(row: InstanceRow, now: Date): void {
  if (!hasEnded(row, now)) return;
  throw new ApiProblem('LeaseEnded', `the lease of "${row.name}" has ended; use restore to bring it back`);
}
