import { z } from 'zod';
import { loopbackOfAll } from '../../specs/address.ts';
import { guides } from './clients/guides.ts';
import type { Api, ApiContext } from './context.ts';
import { openAccess } from './mcp-access.ts';
import { clientNames, connection, json, listOf, nameParameters } from './schemas.ts';
import type { ClientName } from './schemas.ts';

type Connection = z.infer<typeof connection>;

const connectQuery = z.strictObject({
  client: z.enum(clientNames).optional().describe('One client alone, without a list around it'),
});

/** An instance's address and token as the clients want to be told of them. */
export function addConnect(app: Api, context: ApiContext): void {
  app.get(
    '/mcps/:name/connect',
    {
      config: { scope: 'access' },
      schema: {
        operationId: 'getConnection',
        summary: 'Ready-to-paste configuration, for one client or for all',
        tags: ['mcps'],
        params: nameParameters,
        querystring: connectQuery,
        response: { 200: json(z.union([connection, listOf(connection)]), 'It contains the token: keep it secret') },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const { client } = request.query;
      const { access, host } = await openAccess(context, name);
      const { url, token, expiresAt } = access;
      const common = commonNotes(url, host);
      const connect = (one: ClientName): Connection => {
        const { notes, ...guide } = guides[one]({ name, url, token });
        return { client: one, ...guide, notes: [...notes, ...common], expiresAt };
      };
      return reply.send(client === undefined ? { items: clientNames.map(connect), nextCursor: null } : connect(client));
    },
  );
}

function commonNotes(url: string, host: string): string[] {
  const { hostname } = new URL(url);
  const isOpen = loopbackOfAll(host) !== null;
  const isLoopback = hostname === '[::1]' || hostname === 'localhost' || hostname.startsWith('127.');
  return [
    ...(isOpen
      ? [`From other machines, write an IP address of the instance's machine in place of ${hostname}.`]
      : isLoopback
        ? ['The address is of this machine alone: the client has to run here.']
        : []),
    'Token and port may change when the lease is restored or the token rotated: ask again then.',
  ];
}
