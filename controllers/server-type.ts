import type { Assignment } from '../specs/assignment.ts';
import { builtinTypes } from '../specs/type.ts';
import type { ServerType } from '../specs/type.ts';
import type { TypeManifest } from '../specs/types/manifest.ts';
import { fillProgram, fillSecrets, missingSecrets, registeredType } from '../specs/types/registered.ts';
import type { InstanceRow } from '../src/db/world.ts';
import { MiniMcpError } from '../src/errors.ts';

export type TypedRow = Pick<InstanceRow, 'type' | 'type_manifest' | 'config'>;

// Schemas cost more to make than to use, and every pass over every instance uses them.
const made = new Map<string, ServerType>();
const mostMade = 500;

/** The server type of an instance, built in or registered; null when it is gone. */
export function typeOf({ type: name, type_manifest: manifest }: Omit<TypedRow, 'config'>): ServerType | null {
  const builtin = builtinTypes.get(name);
  if (builtin !== undefined || manifest === null) return builtin ?? null;
  const key = `${name} ${manifest}`;
  const known = made.get(key);
  if (known !== undefined) return known;
  if (made.size >= mostMade) made.clear();
  const type = registeredType(name, JSON.parse(manifest) as TypeManifest);
  made.set(key, type);
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
    secrets: fillSecrets(type.manifest, config, keyValues),
    conceal: Object.values(keyValues),
  };
}
