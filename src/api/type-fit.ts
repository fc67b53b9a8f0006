import type { ServerType } from '../../specs/type.ts';
import { missingSecrets, registeredType } from '../../specs/types/registered.ts';
import type { Queryable } from '../db/pool.ts';
import { readInstancesToRun } from '../db/types.ts';
import type { TypedInstance, TypeRow, TypeWrite } from '../db/types.ts';
import { ApiProblem } from './problem.ts';

const mostNamed = 5;

/**
 * Refuses a change of a type after which instances that run would only be stopped. The type is locked, so none is
 * declared meanwhile. What does not fit as it is loses nothing. Throws 409.
 */
export async function refuseMisfit(tx: Queryable, row: TypeRow, write: TypeWrite): Promise<void> {
  const before = registeredType(row.name, row.manifest);
  const after = registeredType(write.name, write.manifest);
  const misfits: string[] = [];
  for (const instance of await readInstancesToRun(tx, row.name)) {
    const fault = findFault(after, instance);
    if (fault === null || findFault(before, instance) !== null) continue;
    misfits.push(`${instance.name} (${fault})`);
    if (misfits.length > mostNamed) break;
  }
  if (misfits.length === 0) return;
  const more = misfits.length > mostNamed ? ', …' : '';
  throw new ApiProblem(
    'TypeMisfit',
    `these instances of "${row.name}" would be stopped: ${misfits.slice(0, mostNamed).join(', ')}${more}; ` +
      'give new inputs a default or leave them optional, change the instances and their api keys first, or repeat ' +
      'with ?force=1: then each is stopped until it is changed',
  );
}

/** What keeps an instance from being started with this type, in a few words; null = nothing. */
function findFault(type: ServerType, { config, api_key: key, key_type, key_fields }: TypedInstance): string | null {
  const checked = type.config.safeParse(config);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    const fields = issue?.code === 'unrecognized_keys' ? issue.keys : (issue?.path ?? []);
    return `spec.config ${fields.join('.')}`.trimEnd();
  }
  if (type.key === 'none' || (key === null && type.key !== 'required')) return null;
  if (key === null || key_type !== type.name) return 'spec.apiKey';
  const lacks = type.manifest === null || key_fields === null ? [] : missingSecrets(type.manifest, key_fields);
  return lacks.length === 0 ? null : `api key ${key} without ${lacks.join(', ')}`;
}
