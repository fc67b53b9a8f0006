import { z } from 'zod';

/** RFC 9457 problem details, as every error of the API. */
export const problem = z.object({
  type: z.string().describe('A stable URI that names the kind of problem'),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  errors: z.array(z.object({ pointer: z.string(), message: z.string() })).optional(),
  requestId: z.string(),
});
