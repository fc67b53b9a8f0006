import { z } from 'zod';
import { readInstanceByName, toInstance } from '../db/instance-view.ts';
import type { InstanceViewRow } from '../db/instance-view.ts';
import { readInstanceToken } from '../db/instance-tokens.ts';
import { lockInstance } from '../db/instances.ts';
import { databaseNow } from '../db/pool.ts';
import { instanceTokenAad } from '../secrets/envelope.ts';
import { hasEnded } from './change.ts';
import type { Api, ApiContext } from './context.ts';
import { mintToken, noInstance, requireWritable } from './desired-state.ts';
import { ApiProblem } from './problem.ts';
import { access, json, nameParameters, writeQuery } from './schemas.ts';
import { writeTransaction } from './write-transaction.ts';

type Access = z.infer<typeof access>;

/** An instance that clients can connect to now. */
interface Reachable {
  readonly access: Access & { url: string };
  /** Where it listens: an address, or what stands for every one. */
  readonly host: string;
}

/** The address of an instance with its token: read it, or make the old token worthless. */
export function addMcpAccess(app: Api, { pool, vault }: ApiContext): void {
  app.get(
    '/mcps/:name/access',
    {
      config: { scope: 'access' },
      schema: {
        operationId: 'getAccess',
        summary: 'The URL and token with which MCP clients connect',
        tags: ['mcps'],
        params: nameParameters,
        response: { 200: json(access, 'Keep it secret') },
      },
    },
    async (request, reply) => {
      const { access: answer } = await openAccess({ pool, vault }, request.params.name);
      return reply.send(answer);
    },
  );

  app.post(
    '/mcps/:name/access/rotate',
    {
      config: { scope: 'access' },
      schema: {
        operationId: 'rotateAccess',
        summary: 'Replace the token; the old one stops working',
        tags: ['mcps'],
        params: nameParameters,
        querystring: writeQuery,
        body: z.strictObject({}).optional(),
        response: { 200: json(access, 'With the new token') },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const answer = await writeTransaction(pool, request.query.dryRun, async tx => {
        const row = requireWritable(await lockInstance(tx, name), name);
        if (hasEnded(row, await databaseNow(tx))) throw leaseEnded(name);
        const token = await mintToken(tx, vault, row.uid);
        return toAccess((await readInstanceByName(tx, name))!, token);
      });
      return reply.send(answer);
    },
  );
}

/** Rejects with the problem to answer when nobody can connect now. */
export async function openAccess(
  { pool, vault }: Pick<ApiContext, 'pool' | 'vault'>,
  name: string,
): Promise<Reachable> {
  const row = await readInstanceByName(pool, name);
  if (row === null) throw noInstance(name);
  refuseUnreachable(row, await databaseNow(pool));
  const sealed = await readInstanceToken(pool, row.uid);
  if (sealed === null) throw noInstance(name);
  const token = await vault.open(sealed.data_key_id, sealed.ciphertext, instanceTokenAad(row.uid, sealed.version));
  const answer = toAccess(row, token);
  return { access: { ...answer, url: answer.url! }, host: row.instance_host! };
}

function refuseUnreachable(row: InstanceViewRow, now: Date): void {
  const { name } = row;
  if (row.deletion_requested_at !== null) throw new ApiProblem('BeingDeleted', `"${name}" is being deleted`);
  if (hasEnded(row, now)) throw leaseEnded(name);
  if (!row.running || row.phase === 'Stopped') {
    throw new ApiProblem('Stopped', `"${name}" is stopped; use restore to bring it back`);
  }
  if (row.port === null || row.instance_host === null) {
    throw new ApiProblem('NotScheduled', `"${name}" has no address yet; ask again when its phase is Ready`, {
      headers: { 'retry-after': '1' },
    });
  }
}

function leaseEnded(name: string): ApiProblem {
  return new ApiProblem('LeaseEnded', `the lease of "${name}" has ended; use restore to bring it back`);
}

function toAccess(row: InstanceViewRow, token: string): Access {
  return {
    url: toInstance(row).status.url,
    token,
    headers: { Authorization: `Bearer ${token}` },
    expiresAt: row.expires_at?.toISOString() ?? null,
  };
}
