import { z } from 'zod';
import { instance, instanceWrite } from '../../specs/instance.ts';
import type { InstanceWrite } from '../../specs/instance.ts';
import { dnsLabel } from '../../specs/name.ts';
import { lockInstance } from '../db/instances.ts';
import type { InstanceRow } from '../db/instances.ts';
import { databaseNow } from '../db/pool.ts';
import type { Queryable } from '../db/pool.ts';
import { planChange } from './change.ts';
import type { Api, ApiContext } from './context.ts';
import { checkDeclaration } from './declaration.ts';
import { applyChange, declareInstance, generateName, requireWritable, viewInstance } from './desired-state.ts';
import { isCreateOnly, replyInstance, requireMatch } from './etag.ts';
import { answerOnce } from './idempotency.ts';
import { patchDocument } from './merge-patch.ts';
import { parse } from './pointer.ts';
import { ApiProblem, invalidBody } from './problem.ts';
import { ifMatchHeader, json, nameParameters, writeQuery } from './schemas.ts';
import { writeTransaction } from './write-transaction.ts';

/** Declaring and changing instances: POST, PUT, PATCH. */
export function addMcpWrites(app: Api, { pool, vault }: ApiContext): void {
  app.post(
    '/mcps',
    {
      config: { scope: 'write' },
      schema: {
        operationId: 'declareInstance',
        summary: 'Declare an instance',
        tags: ['mcps'],
        querystring: writeQuery,
        headers: z.looseObject({
          'idempotency-key': z
            .string()
            .optional()
            .describe('The same key again gets the same answer, and no second instance'),
        }),
        body: instanceWrite,
        response: { 201: json(instance, 'Declared; Location has its URL') },
      },
    },
    async (request, reply) => {
      const { body } = request;
      const answer = await writeTransaction(pool, request.query.dryRun, tx =>
        answerOnce(tx, request, async () => {
          const declaration = await checkDeclaration(tx, body);
          const now = await databaseNow(tx);
          for (;;) {
            const name = body.metadata.name ?? generateName(declaration.type.name);
            if (await declareInstance(tx, vault, name, declaration, now)) {
              return { status: 201, body: await viewInstance(tx, name) };
            }
            if (body.metadata.name === undefined) continue;
            const taken = await lockInstance(tx, name);
            if (taken !== null) {
              requireWritable(taken, name);
              throw new ApiProblem('NameTaken', `there is an instance "${name}"; use PUT to change it`);
            }
          }
        }),
      );
      if (answer.isReplay) reply.header('idempotent-replayed', 'true');
      reply.header('location', `/api/v1/mcps/${answer.body.metadata.name}`);
      return replyInstance(reply, answer.status, answer.body);
    },
  );

  app.put(
    '/mcps/:name',
    {
      config: { scope: 'write' },
      schema: {
        operationId: 'putInstance',
        summary: 'Declare an instance, or change it; the same again changes nothing',
        tags: ['mcps'],
        params: nameParameters,
        querystring: writeQuery,
        headers: ifMatchHeader.extend({ 'if-none-match': z.string().optional().describe('* = create only') }),
        body: instanceWrite,
        response: { 200: json(instance, 'Changed, or as it was'), 201: json(instance, 'Declared') },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const createOnly = isCreateOnly(request);
      requireName(name, request.body);
      const answer = await writeTransaction(pool, request.query.dryRun, async tx => {
        let row = await lockInstance(tx, name);
        requireNew(row, createOnly);
        requireMatch(request, row);
        const declaration = await checkDeclaration(tx, request.body);
        const now = await databaseNow(tx);
        while (row === null) {
          if (await declareInstance(tx, vault, name, declaration, now)) {
            return { status: 201, instance: await viewInstance(tx, name) };
          }
          // Another one declared it in between: then this is a change.
          row = await lockInstance(tx, name);
          requireNew(row, createOnly);
        }
        return { status: 200, instance: await replace(tx, row, request.body) };
      });
      if (answer.status === 201) reply.header('location', `/api/v1/mcps/${name}`);
      return replyInstance(reply, answer.status, answer.instance);
    },
  );

  app.patch(
    '/mcps/:name',
    {
      config: { scope: 'write' },
      schema: {
        operationId: 'patchInstance',
        summary: 'Change some fields (JSON merge patch)',
        tags: ['mcps'],
        consumes: ['application/merge-patch+json', 'application/json'],
        params: nameParameters,
        querystring: writeQuery,
        headers: ifMatchHeader,
        body: z.record(z.string(), z.unknown()).describe('Any part of an instance; null removes'),
        response: { 200: json(instance, 'Changed, or as it was') },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const changed = await writeTransaction(pool, request.query.dryRun, async tx => {
        const row = await lockInstance(tx, name);
        requireMatch(request, row);
        const writable = requireWritable(row, name);
        const body = parse(instanceWrite, patchDocument(writable, request.body));
        if (body.data === null) throw invalidBody(body.errors);
        requireName(name, body.data);
        return await replace(tx, writable, body.data);
      });
      return replyInstance(reply, 200, changed);
    },
  );

  async function replace(tx: Queryable, row: InstanceRow, body: InstanceWrite) {
    const writable = requireWritable(row, row.name);
    const { uid } = body.metadata;
    if (uid !== undefined && uid !== row.uid) {
      throw new ApiProblem('UidMismatch', `"${row.name}" has uid ${row.uid} now: it was deleted and declared anew`);
    }
    const declaration = await checkDeclaration(tx, body);
    await applyChange(tx, vault, writable, planChange(writable, declaration, await databaseNow(tx)));
    return await viewInstance(tx, row.name);
  }
}

function requireNew(row: InstanceRow | null, createOnly: boolean): void {
  if (createOnly && row !== null) throw new ApiProblem('PreconditionFailed', `there is an instance "${row.name}"`);
}

/** The path names the instance; a body that names another one is a mix-up. */
function requireName(name: string, body: InstanceWrite): void {
  const checked = parse(dnsLabel, name, ['metadata', 'name']);
  if (checked.data === null) throw invalidBody(checked.errors);
  if (body.metadata.name === undefined || body.metadata.name === name) return;
  throw invalidBody([{ pointer: '/metadata/name', message: `must be "${name}" as in the path, or be left out` }]);
}
