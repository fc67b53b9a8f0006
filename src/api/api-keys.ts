import { randomUUIDv7 } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { apiKey, apiKeyWrite } from '../../specs/api-key.ts';
import type { ApiKey, ApiKeyWrite } from '../../specs/api-key.ts';
import { dnsLabel } from '../../specs/name.ts';
import * as apiKeys from '../db/api-keys.ts';
import type { SealedApiKeyRow } from '../db/api-keys.ts';
import type { Queryable } from '../db/pool.ts';
import { MiniMcpError } from '../errors.ts';
import { apiKeyAad } from '../secrets/envelope.ts';
import type { Vault } from '../secrets/envelope.ts';
import type { Api, ApiContext } from './context.ts';
import { nameCursor, readCursor, toPage } from './cursor.ts';
import { parse } from './pointer.ts';
import { ApiProblem, invalidBody } from './problem.ts';
import { json, listOf, nameParameters, pageQuery, writeQuery } from './schemas.ts';
import { requireType } from './type-lookup.ts';
import { writeTransaction } from './write-transaction.ts';

/** A value shorter than this would be half given away by its last four characters. */
const shortestShown = 12;

/** Vendor credentials: written and used, never read. */
export function addApiKeys(app: Api, { pool, readPool, vault }: ApiContext): void {
  const tags = ['api-keys'];

  app.get(
    '/api-keys',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listApiKeys',
        summary: 'Api keys by name, without their values',
        tags,
        querystring: z.strictObject(pageQuery),
        response: { 200: json(listOf(apiKey), 'A page') },
      },
    },
    async (request, reply) => {
      const { limit, cursor } = request.query;
      const after = cursor === undefined ? '' : readCursor(nameCursor, cursor);
      const keys = await apiKeys.readApiKeys(readPool, after, limit + 1);
      return await reply.send(toPage(keys, limit, identity, key => key.name));
    },
  );

  app.get(
    '/api-keys/:name',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getApiKey',
        summary: 'One api key, without its values',
        tags,
        params: nameParameters,
        response: { 200: json(apiKey, 'What may be known of it') },
      },
    },
    async (request, reply) => await reply.send(await requireKey(pool, request.params.name)),
  );

  app.put(
    '/api-keys/:name',
    {
      config: { scope: 'write' },
      schema: {
        operationId: 'putApiKey',
        summary: 'Set an api key; the same values again change nothing',
        tags,
        params: nameParameters,
        querystring: writeQuery,
        body: apiKeyWrite,
        response: { 200: json(apiKey, 'Changed, or as it was'), 201: json(apiKey, 'New') },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const checkedName = parse(dnsLabel, name, ['name']);
      if (checkedName.data === null) throw invalidBody(checkedName.errors);
      const answer = await writeTransaction(pool, request.query.dryRun, async tx => {
        const write = await checkKey(tx, request.body);
        const status = await putKey(tx, vault, name, write);
        return { status, key: await requireKey(tx, name) };
      });
      if (answer.status === 201) reply.header('location', `/api/v1/api-keys/${name}`);
      return await reply.code(answer.status).send(answer.key);
    },
  );

  app.delete(
    '/api-keys/:name',
    {
      config: { scope: 'write' },
      schema: {
        operationId: 'deleteApiKey',
        summary: 'Forget an api key; instances that use it wait for a new one',
        tags,
        params: nameParameters,
        querystring: writeQuery,
        response: { 200: json(apiKey, 'As it was; usedBy names the instances that miss it now') },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const forgotten = await writeTransaction(pool, request.query.dryRun, async tx => {
        await apiKeys.lockApiKey(tx, name);
        const key = await requireKey(tx, name);
        await apiKeys.deleteApiKey(tx, name);
        return key;
      });
      return await reply.send(forgotten);
    },
  );
}

async function requireKey(db: Queryable, name: string): Promise<ApiKey> {
  const key = await apiKeys.readApiKey(db, name);
  if (key === null) throw new ApiProblem('NotFound', `there is no api key "${name}"`);
  return key;
}

/** Holds the values against the type. Throws the 422. */
async function checkKey(tx: Queryable, write: ApiKeyWrite): Promise<ApiKeyWrite> {
  const type = await requireType(tx, write.type, '/type');
  if (type.key === 'none') {
    throw invalidBody([{ pointer: '/type', message: `must be another type: ${write.type} takes no api key` }]);
  }
  const values = parse(type.keyValues, write.values, ['values']);
  if (values.data === null) throw invalidBody(values.errors);
  return { type: write.type, values: values.data };
}

/** Writes a key and answers 201 or 200; values and type as they are write nothing. */
async function putKey(tx: Queryable, vault: Vault, name: string, write: ApiKeyWrite): Promise<200 | 201> {
  for (;;) {
    const row = await apiKeys.lockApiKey(tx, name);
    if (row !== null) {
      if (row.type !== write.type) await refuseOtherType(tx, name, write.type);
      else if (isDeepStrictEqual(await openValues(vault, row), { ...write.values })) return 200;
      await apiKeys.updateApiKey(tx, seal(vault, row.uid, name, row.version + 1, write));
      return 200;
    }
    if (await apiKeys.insertApiKey(tx, seal(vault, randomUUIDv7(), name, 1, write))) return 201;
  }
}

async function refuseOtherType(tx: Queryable, name: string, type: string): Promise<void> {
  const others = (await apiKeys.readTypesUsingKey(tx, name)).filter(used => used !== type);
  if (others.length === 0) return;
  throw new ApiProblem(
    'ApiKeyInUse',
    `"${name}" is used by instances of type ${others.join(', ')}; give the key another name`,
  );
}

function seal(
  vault: Vault,
  uid: string,
  name: string,
  version: number,
  { type, values }: ApiKeyWrite,
): apiKeys.ApiKeyWrite {
  const lastFour = Object.fromEntries(
    Object.entries(values)
      .filter(([, value]) => value.length >= shortestShown)
      // By characters, not by halves of them.
      .map(([field, value]) => [field, Array.from(value).slice(-4).join('')]),
  );
  const fields = Object.keys(values);
  return {
    uid,
    name,
    type,
    version,
    fields,
    lastFour,
    ...vault.seal(JSON.stringify(values), apiKeyAad(uid, name, version)),
  };
}

/** Null for a row that was damaged: then it is written anew. */
async function openValues(vault: Vault, row: SealedApiKeyRow): Promise<unknown> {
  try {
    return JSON.parse(await vault.open(row.data_key_id, row.ciphertext, apiKeyAad(row.uid, row.name, row.version)));
  } catch (error) {
    if (error instanceof MiniMcpError && error.code === 'SecretUnreadable') return null;
    throw error;
  }
}

function identity<T>(value: T): T {
  return value;
}
