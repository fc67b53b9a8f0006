import type { ServerType } from '../../specs/type.ts';
import type { Queryable } from '../db/pool.ts';
import { holdType, readTypeNames } from '../db/types.ts';
import { invalidBody } from './problem.ts';

const mostNames = 20;

/**
 * The type that a body names, which stays as it is until the transaction ends. Throws the 422 that says which
 * ones there are.
 */
export async function requireType(tx: Queryable, name: string, pointer: string): Promise<ServerType> {
  const type = await holdType(tx, name);
  if (type !== null) return type;
  const names = await readTypeNames(tx, mostNames + 1);
  const listed = names.slice(0, mostNames).join(', ');
  const more = names.length > mostNames ? ', … (GET /api/v1/types lists all)' : '';
  throw invalidBody([{ pointer, message: `must be a type that exists: ${listed}${more}` }]);
}
