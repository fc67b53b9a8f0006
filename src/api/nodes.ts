import { z } from 'zod';
import { controller, node } from '../../specs/node.ts';
import { readControllers, readNodes } from '../db/nodes.ts';
import type { Api, ApiContext } from './context.ts';
import { json, listOf } from './schemas.ts';

/** Where things run and who looks after them. Both lists are short: they come whole. */
export function addNodes(app: Api, { readPool }: ApiContext): void {
  app.get(
    '/nodes',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listNodes',
        summary: 'Machines that run instances',
        tags: ['nodes'],
        querystring: z.strictObject({}),
        response: { 200: json(listOf(node), 'All of them') },
      },
    },
    async () => ({ items: await readNodes(readPool), nextCursor: null }),
  );

  app.get(
    '/controllers',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listControllers',
        summary: 'What each controller last did',
        tags: ['nodes'],
        querystring: z.strictObject({}),
        response: { 200: json(listOf(controller), 'All of them') },
      },
    },
    async () => ({ items: await readControllers(readPool), nextCursor: null }),
  );
}
