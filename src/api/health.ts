import { z } from 'zod';
import { readHistory } from '../db/changes.ts';
import type { Api, ApiContext } from './context.ts';
import { ApiProblem } from './problem.ts';
import { json } from './schemas.ts';

const ok = z.object({ ok: z.literal(true) });
const readyWithinMs = 2_000;

/** For supervisors and load balancers: is the process alive, and can it do its work. */
export function addHealth(app: Api, { pool }: ApiContext): void {
  const tags = ['health'];
  const security: [] = [];

  app.get(
    '/livez',
    {
      config: { scope: 'public' },
      schema: {
        operationId: 'getLiveness',
        summary: 'The process answers',
        tags,
        security,
        response: { 200: json(ok, 'Alive') },
      },
    },
    async () => ({ ok: true }) as const,
  );

  app.get(
    '/readyz',
    {
      config: { scope: 'public' },
      schema: {
        operationId: 'getReadiness',
        summary: 'The database answers and has the schema',
        tags,
        security,
        response: { 200: json(ok, 'Ready') },
      },
    },
    async () => {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<false>(resolve => {
        timer = setTimeout(resolve, readyWithinMs, false);
      });
      const answered = readHistory(pool).then(
        () => true,
        () => false,
      );
      const isReady = await Promise.race([answered, late]);
      clearTimeout(timer);
      if (isReady) return { ok: true } as const;
      throw new ApiProblem('DatabaseUnavailable', 'the database does not answer, or was not migrated', {
        headers: { 'retry-after': '2' },
      });
    },
  );
}
