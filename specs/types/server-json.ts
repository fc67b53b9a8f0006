import { z } from 'zod';
import { typeManifest } from './manifest.ts';
import type { TypeManifest } from './manifest.ts';
import { serverArgument, serverVariable } from './server-json-input.ts';
import { createTranslation } from './server-json-translation.ts';
import type { Refuse, Translation } from './server-json-translation.ts';
import { packageName, packageVersion } from './values.ts';

// The fields that are read here are the same in both.
const revisions = ['2025-12-11', '2025-10-17'];
const schemaUrl = (revision: string): string =>
  `https://static.modelcontextprotocol.io/schemas/${revision}/server.schema.json`;

const publicRegistry = 'https://registry.npmjs.org';

const serverPackage = z.looseObject({
  registryType: z.string(),
  registryBaseUrl: z.string().optional(),
  identifier: z.string(),
  version: z.string().optional(),
  fileSha256: z.string().optional(),
  transport: z.looseObject({ type: z.string() }),
  runtimeArguments: z.array(serverArgument).max(256).default([]),
  packageArguments: z.array(serverArgument).max(256).default([]),
  environmentVariables: z.array(serverVariable).max(256).default([]),
});
type ServerPackage = z.infer<typeof serverPackage>;

/**
 * The registry's server.json as our manifest: the one package of it that is npm, speaks stdio and is pinned.
 * What the document says beyond that (icons, repository, _meta, runtimeHint) changes nothing here.
 */
export const serverJson = z
  .looseObject({
    $schema: z
      .literal(revisions.map(schemaUrl), { error: `must be ${revisions.map(schemaUrl).join(' or ')}` })
      .optional(),
    name: z
      .string()
      .max(200, { abort: true })
      .regex(
        /^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/,
        'must be a reverse-DNS name with one slash, such as "com.example/weather"',
      ),
    description: z.string().min(1).max(100),
    title: z.string().min(1).max(100).optional(),
    version: z.string().min(1).max(255),
    packages: z.array(serverPackage).max(64).optional(),
    remotes: z.array(z.unknown()).optional(),
  })
  .transform((document, context): TypeManifest => {
    let refused = false;
    const refuse: Refuse = (path, message) => {
      refused = true;
      context.addIssue({ code: 'custom', path: [...path], message, input: undefined });
    };
    const chosen = choosePackage(document.packages ?? [], refuse);
    if (chosen === null) return z.NEVER;
    const translation = translatePackage(chosen.entry, ['packages', chosen.index], refuse);
    if (refused) return z.NEVER;
    const manifest = typeManifest.safeParse({
      title: document.title ?? document.name.slice(0, 100),
      description: document.description,
      package: chosen.entry.identifier,
      version: chosen.entry.version,
      ...translation,
    });
    if (manifest.success) return manifest.data;
    // What is wrong has no one place in the document; the place in the manifest says most.
    for (const { path, message } of manifest.error.issues) {
      refuse(['packages', chosen.index], `cannot be run: ${path.join('.')} ${message}`);
    }
    return z.NEVER;
  });

/** Whether a document is meant as a server.json and not as a manifest of ours. */
export function isServerJson(document: object): boolean {
  return ['$schema', 'packages', 'remotes'].some(field => Object.hasOwn(document, field));
}

function choosePackage(
  packages: readonly ServerPackage[],
  refuse: Refuse,
): { entry: ServerPackage; index: number } | null {
  if (packages.length === 0) {
    refuse(['packages'], 'must have a package of registryType "npm" with transport "stdio"; remotes are not run here');
    return null;
  }
  const objections = packages.map(objectionsTo);
  const usable = [...objections.keys()].filter(index => objections[index]!.length === 0);
  if (usable.length === 1) return { entry: packages[usable[0]!]!, index: usable[0]! };
  if (usable.length > 1) {
    const names = usable.map(index => packages[index]!.identifier).join(', ');
    refuse(['packages'], `must have one package that can be run here; there are ${usable.length}: ${names}`);
  }
  if (usable.length === 0) {
    for (const [index, list] of objections.entries()) {
      for (const { field, message } of list) refuse(['packages', index, ...field], message);
    }
  }
  return null;
}

/** Why a package cannot be run here. */
function objectionsTo(entry: ServerPackage): { field: string[]; message: string }[] {
  const { registryType, registryBaseUrl, identifier, version, transport, fileSha256 } = entry;
  // Of another registry, its other fields mean something else.
  if (registryType !== 'npm') {
    return [{ field: ['registryType'], message: 'must be "npm"; no other package is run here' }];
  }
  const objections: { field: string[]; message: string }[] = [];
  const object = (field: string[], message: string): void => void objections.push({ field, message });
  if (registryBaseUrl !== undefined && registryBaseUrl.replace(/\/$/, '') !== publicRegistry) {
    object(['registryBaseUrl'], `must be "${publicRegistry}", or be left out`);
  }
  if (!packageName.safeParse(identifier).success) {
    object(['identifier'], 'must be the name of a package of the npm registry, such as "@scope/name"');
  }
  if (version === undefined) object(['version'], 'is required: an exact version such as "1.2.3"');
  else if (!packageVersion.safeParse(version).success) {
    object(['version'], 'must be an exact version such as "1.2.3", no range and no tag such as "latest"');
  }
  if (transport.type !== 'stdio') object(['transport', 'type'], 'must be "stdio"');
  if (fileSha256 !== undefined) {
    object(
      ['fileSha256'],
      'cannot be checked for a package of the npm registry, which has a hash of its own; leave it out',
    );
  }
  return objections;
}

function translatePackage(entry: ServerPackage, path: readonly PropertyKey[], refuse: Refuse): Translation {
  checkRuntimeArguments(entry, path, refuse);
  const translation = createTranslation(refuse);
  for (const [index, arg] of entry.packageArguments.entries()) {
    translation.addArgument(arg, [...path, 'packageArguments', index]);
  }
  for (const [index, variable] of entry.environmentVariables.entries()) {
    translation.addVariable(variable, [...path, 'environmentVariables', index]);
  }
  return translation.result;
}

/**
 * The package's program is run by our own node, so what is meant for npx or docker has no meaning, and what is
 * meant for node could load other code. `-y` says yes to an installation, which the one who registers the type does.
 */
function checkRuntimeArguments(entry: ServerPackage, path: readonly PropertyKey[], refuse: Refuse): void {
  for (const [index, arg] of entry.runtimeArguments.entries()) {
    const word = arg.type === 'named' ? arg.name : arg.value;
    if (word === '-y' || word === '--yes') continue;
    refuse(
      [...path, 'runtimeArguments', index],
      'must be left out: node runs the package itself and takes no options; only -y is ignored',
    );
  }
}
