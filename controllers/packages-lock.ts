import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Manifest, PackagePlace } from './packages-manifest.ts';
import { readRegistries } from './packages-npm.ts';

/** npm's own list of what it has put into node_modules. */
const hiddenLock = z.object({
  packages: z.record(
    z.string(),
    z.object({
      name: z.string().optional(),
      version: z.string().optional(),
      /** Absent for what came bundled within another package. */
      resolved: z.string().optional(),
      integrity: z.string().optional(),
      link: z.boolean().optional(),
    }),
  ),
});
type Packages = z.infer<typeof hiddenLock>['packages'];

export interface LockedTree extends Pick<Manifest, 'integrity' | 'integrities' | 'packages'> {
  /** By name@version: what the registry gave without an integrity. */
  readonly unproven: readonly string[];
}

/**
 * What npm has installed into the directory. Throws a sentence where that is not the package in its version, or
 * where something in it is from elsewhere than a registry.
 */
export async function readLock(directory: string, { name, version }: PackagePlace): Promise<LockedTree> {
  const text = await readFile(join(directory, 'node_modules', '.package-lock.json'), 'utf8');
  const { packages } = hiddenLock.parse(JSON.parse(text));
  const own = packages[`node_modules/${name}`];
  if (own?.version !== version) throw new Error(`npm installed ${own?.version ?? 'nothing'} in place of ${version}`);
  await refuseStrangers(directory, packages, own.resolved);
  const integrities: Record<string, string> = {};
  const unproven: string[] = [];
  for (const [path, entry] of Object.entries(packages)) {
    const key = `${nameOf(path, entry)}@${entry.version}`;
    if (entry.integrity !== undefined) integrities[key] = entry.integrity;
    else if (entry.resolved !== undefined) unproven.push(key);
  }
  return { integrity: own.integrity ?? null, integrities, unproven, packages: Object.keys(packages).length };
}

/** npm writes this one for itself and goes to the mirror that it is set up with. */
const publicRegistry = 'https://registry.npmjs.org';

/** A package may name any address, file or link as what it needs; versions of the registry are all that is meant. */
async function refuseStrangers(directory: string, packages: Packages, own: string | undefined): Promise<void> {
  const trusted = new Set([publicRegistry, originOf(own ?? publicRegistry)]);
  const strangers = (): [string, Packages[string]] | undefined =>
    Object.entries(packages).find(
      ([, { resolved, link }]) => link === true || (resolved !== undefined && !trusted.has(originOf(resolved))),
    );
  if (strangers() === undefined) return;
  for (const registry of await readRegistries(directory)) trusted.add(originOf(registry));
  const stranger = strangers();
  if (stranger === undefined) return;
  const [path, entry] = stranger;
  const from = entry.link === true ? 'a link' : originOf(entry.resolved ?? '');
  throw new Error(
    `its dependency ${nameOf(path, entry)} is from elsewhere (${from}) than the registries that npm is set up with, ` +
      'so it is not run; use another version, or install the package by hand and give its command',
  );
}

/** Of an address on the web; else its kind, which is no registry's. */
function originOf(address: string): string {
  const url = URL.parse(address);
  if (url === null) return 'no address';
  return url.origin === 'null' ? url.protocol : url.origin;
}

function nameOf(path: string, entry: Packages[string]): string {
  return entry.name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
}
