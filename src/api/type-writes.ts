import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { dnsLabel } from '../../specs/name.ts';
import { builtinTypes } from '../../specs/type.ts';
import { typeManifest } from '../../specs/types/manifest.ts';
import { isServerJson, serverJson } from '../../specs/types/server-json.ts';
import type { Queryable } from '../db/pool.ts';
import { deleteType, insertType, lockType, programHash, readTypeRow, readTypeUsers, updateType } from '../db/types.ts';
import type { TypeRow, TypeWrite } from '../db/types.ts';
import { isSameJson } from './change.ts';
import type { Api, ApiContext } from './context.ts';
import { isCreateOnly, readTags } from './etag.ts';
import { parse } from './pointer.ts';
import { ApiProblem, invalidBody } from './problem.ts';
import { flag, ifMatchHeader, json, nameParameters, typeDocument, typeView, writeQuery } from './schemas.ts';
import { refuseMisfit } from './type-fit.ts';
import { replyType, typeTag, viewRegistered } from './type-view.ts';
import { noType } from './types.ts';
import { writeTransaction } from './write-transaction.ts';

/** A page of types must stay readable. */
const longestDocument = 65_536;
const mostUsersNamed = 5;

const putQuery = writeQuery.extend({
  force: flag('Change the type also where instances that run do not fit it any more; they are stopped until changed'),
});
const ifMatch = ifMatchHeader.extend({ 'if-match': z.string().optional().describe('The ETag of the type') });

/** Registering server types. For admins: it decides what code is run. */
export function addTypeWrites(app: Api, { pool }: ApiContext): void {
  const tags = ['types'];

  app.put(
    '/types/:name',
    {
      config: { scope: 'admin' },
      schema: {
        operationId: 'putType',
        summary: 'Register a server type, or change it; the same again changes nothing',
        description:
          'The body is a manifest or a server.json of the MCP registry ' +
          '(2025-12-11) with one package of npm that speaks stdio at an exact version. Instances of a type whose ' +
          'program changes are started anew, with the same URL; a change that some of them do not fit is refused.',
        tags,
        params: nameParameters,
        querystring: putQuery,
        headers: ifMatch.extend({ 'if-none-match': z.string().optional().describe('* = create only') }),
        body: typeDocument,
        response: { 200: json(typeView, 'Changed, or as it was'), 201: json(typeView, 'New') },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const checkedName = parse(dnsLabel, name, ['name']);
      if (checkedName.data === null) throw invalidBody(checkedName.errors);
      refuseBuiltin(name);
      const createOnly = isCreateOnly(request);
      const write = { name, ...readDocument(request.body) };
      const { dryRun, force } = request.query;
      const answer = await writeTransaction(pool, dryRun, async tx => {
        const status = await putType(tx, write, force, row => checkPreconditions(request, row, name, createOnly));
        return { status, row: await requireRow(tx, name) };
      });
      if (answer.status === 201) reply.header('location', `/api/v1/types/${name}`);
      return replyType(reply, answer.status, viewRegistered(answer.row));
    },
  );

  app.delete(
    '/types/:name',
    {
      config: { scope: 'admin' },
      schema: {
        operationId: 'deleteType',
        summary: 'Forget a registered type that nothing uses',
        tags,
        params: nameParameters,
        querystring: writeQuery,
        headers: ifMatch,
        response: { 200: json(typeView, 'As it was') },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      refuseBuiltin(name);
      const forgotten = await writeTransaction(pool, request.query.dryRun, async tx => {
        const row = await lockType(tx, name);
        checkPreconditions(request, row, name, false);
        if (row === null) throw noType(name);
        await refuseUsed(tx, name);
        await deleteType(tx, name);
        return row;
      });
      return await reply.send(viewRegistered(forgotten));
    },
  );
}

/** What a body says, in either of the two languages. Throws the 422. */
function readDocument(document: Record<string, unknown>): Omit<TypeWrite, 'name'> {
  const length = JSON.stringify(document).length;
  if (length > longestDocument) {
    throw invalidBody([{ pointer: '', message: `must have at most ${longestDocument} characters; it has ${length}` }]);
  }
  const isRegistry = isServerJson(document);
  const manifest = parse(isRegistry ? serverJson : typeManifest, document);
  if (manifest.data === null) throw invalidBody(manifest.errors);
  return { manifest: manifest.data, source: isRegistry ? 'server.json' : 'manifest', document };
}

/** Writes a type and answers 201 or 200; the same document again writes nothing. */
async function putType(
  tx: Queryable,
  write: TypeWrite,
  force: boolean,
  check: (row: TypeRow | null) => void,
): Promise<200 | 201> {
  for (;;) {
    const row = await lockType(tx, write.name);
    check(row);
    if (row !== null) {
      const { manifest } = write;
      // A later MiniMCP may make another manifest of the same document.
      if (isSameJson(row.document, write.document) && isSameJson(row.manifest, manifest)) return 200;
      if (!force && row.program_hash !== programHash(manifest)) await refuseMisfit(tx, row, write);
      await updateType(tx, write);
      return 200;
    }
    if (await insertType(tx, write)) return 201;
  }
}

function checkPreconditions(request: FastifyRequest, row: TypeRow | null, name: string, createOnly: boolean): void {
  if (createOnly && row !== null) throw new ApiProblem('PreconditionFailed', `there is a type "${name}"`);
  const tags = readTags(request.headers['if-match']);
  if (tags === null) return;
  if (row === null) throw new ApiProblem('PreconditionFailed', 'the type does not exist');
  if (tags.includes('*') || tags.includes(typeTag(viewRegistered(row)))) return;
  throw new ApiProblem('PreconditionFailed', 'the type was changed since; read it again and repeat the change');
}

async function requireRow(db: Queryable, name: string): Promise<TypeRow> {
  const row = await readTypeRow(db, name);
  if (row === null) throw noType(name);
  return row;
}

function refuseBuiltin(name: string): void {
  if (!builtinTypes.has(name)) return;
  throw new ApiProblem('BuiltinType', `"${name}" comes with MiniMCP and stays as it is; register under another name`);
}

/** The type is locked: nothing can begin to use it meanwhile. */
async function refuseUsed(tx: Queryable, name: string): Promise<void> {
  const { instances, api_keys: apiKeys } = await readTypeUsers(tx, name, mostUsersNamed + 1);
  const users = [...list('instances', instances), ...list('api keys', apiKeys)];
  if (users.length === 0) return;
  throw new ApiProblem('TypeInUse', `"${name}" is used by ${users.join(' and ')}; delete them first`);
}

function list(kind: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const more = names.length > mostUsersNamed ? ', …' : '';
  return [`${kind} ${names.slice(0, mostUsersNamed).join(', ')}${more}`];
}
