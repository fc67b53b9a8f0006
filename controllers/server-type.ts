import type { Assignment } from '../specs/assignment.ts';
import { builtinTypes } from '../specs/type.ts';
import type { ServerType } from '../specs/type.ts';
import type { TypeManifest } from '../specs/types/manifest.ts';
import { fillProgram, fillSecrets } from '../specs/types/program.ts';
import { OversizeError } from '../specs/types/program-size.ts';
import { missingSecrets, registeredType } from '../specs/types/registered.ts';
import type { InstanceRow } from '../src/db/world.ts';
import { MiniMcpError } from '../src/errors.ts';

export type TypedRow = Pick<InstanceRow, 'type' | 'type_manifest' | 'type_program' | 'config'>;

// Schemas cost more to make than to use, and every pass over every instance uses them. By name, each as it was last.
const made = new Map<string, { readonly program: string | null; readonly type: ServerType }>();
/** More than a node has ports for instances: below it a pass over all of them makes nothing twice. */
const mostMade = 5_000;

/** The server type of an instance, built in or registered; null when it is gone. */
export function typeOf(row: Omit<TypedRow, 'config'>): ServerType | null {
  const { type: name, type_manifest: manifest, type_program: program } = row;
  const builtin = builtinTypes.get(name);
  if (builtin !== undefined || manifest === null) return builtin ?? null;
  const known = made.get(name);
  // Words that changed may be old here: nothing that is done with an instance depends on them.
  if (known !== undefined && known.program === program) return known.type;
  const type = registeredType(name, JSON.parse(manifest) as TypeManifest);
  made.delete(name);
  made.set(name, { program, type });
  for (const oldest of made.keys()) {
    if (made.size <= mostMade) break;
    made.delete(oldest);
  }
  return type;
}

/**
 * What a host is told of its server. A registered type is a stdio server: its child gets the secrets that the
 * manifest names, and only those. Throws Misconfigured.
 */
export function assignServer(
  row: TypedRow,
  keyValues: Record<string, string>,
): Pick<Assignment, 'type' | 'config' | 'secrets' | 'conceal'> {
  const type = typeOf(row);
  if (type === null) throw new MiniMcpError('Misconfigured', `There is no type "${row.type}" any more`);
  const config = type.config.parse(row.config);
  if (type.manifest === null) return { type: type.name, config, secrets: keyValues };
  const missing = missingSecrets(type.manifest, Object.keys(keyValues));
  if (missing.length > 0) throw new MiniMcpError('Misconfigured', `The api key has no ${missing.join(', ')}`);
  return {
    type: 'stdio',
    config: { ...fillProgram(type.manifest, config) },
    secrets: requireSecrets(type.manifest, config, keyValues),
    conceal: Object.values(keyValues),
  };
}

function requireSecrets(manifest: TypeManifest, config: TypedRow['config'], keyValues: Record<string, string>) {
  try {
    return fillSecrets(manifest, config, keyValues);
  } catch (error) {
    if (!(error instanceof OversizeError)) throw error;
    throw new MiniMcpError('Misconfigured', `The api key ${error.message}`);
  }
}
