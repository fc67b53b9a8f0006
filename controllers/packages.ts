import { accessSync } from 'node:fs';
import PQueue from 'p-queue';
import { toMessage } from '../specs/message.ts';
import { MiniMcpError, errorMessage } from '../src/errors.ts';
import type { Logger } from '../src/logger.ts';
import { findEntry } from './packages-entry.ts';
import { installPackage } from './packages-install.ts';
import { inspect, installationOf, placeOf } from './packages-manifest.ts';
import type { Inspection, Installation, Manifest, PackagePlace } from './packages-manifest.ts';
import { sweepCache } from './packages-sweep.ts';

export type InstalledPackage =
  | { readonly state: 'ready'; readonly entry: string; readonly installation: Installation }
  /** It is there and looked at, for a moment. */
  | { readonly state: 'checking'; readonly message: string }
  | { readonly state: 'installing'; readonly message: string }
  /** `installed`: it is there, and there is no program in it that could be run. */
  | { readonly state: 'misconfigured'; readonly message: string; readonly installed: boolean };

export interface PackageCache {
  /** Where the package's program is; starts the installation when it is not there yet. Never waits. */
  resolve(name: string, version: string): InstalledPackage;
  /** Removes what a kill -9 has left in the directory; cheap, to be called now and then. */
  sweep(): Promise<void>;
  /** Ends running installations; resolves when nothing of them is left. */
  close(): Promise<void>;
}

export interface PackageCacheOptions {
  readonly directory: string;
  /** Something became ready or failed. */
  readonly onChange: () => void;
  readonly log: Logger;
}

/** What is known of a package; a settled one stays until its file is gone. */
type Known =
  | Exclude<InstalledPackage, { state: 'misconfigured' }>
  | (InstalledPackage & { state: 'misconfigured'; retryAtMs: number });

const retryMs = 30_000;
/** Too many open files, say: mostly over in a moment. */
const unreadableRetryMs = 1_000;
/** What the registry serves changes only when people change it. */
const changedRetryMs = 600_000;
/** Mostly waits for the network; a slow registry must not keep those of others from their turn. */
const installations = 4;
const inspections = 2;

/**
 * Packages of the npm registry at exact versions, each installed once and then read-only, for all controllers
 * that share the directory. Each process looks once whether an installation is still what was installed: what
 * was added is removed, and one with other bytes is replaced by a new one.
 */
export function createPackageCache(options: PackageCacheOptions): PackageCache {
  const known = new Map<string, Known>();
  /** Those that are worked on. */
  const running = new Set<string>();
  const installs = new PQueue({ concurrency: installations });
  const checks = new PQueue({ concurrency: inspections });
  const closing = new AbortController();

  function begin(key: string, place: PackagePlace): void {
    if (running.has(key) || closing.signal.aborted) return;
    running.add(key);
    const log = options.log.child({ package: key });
    // A failure is told until another try has come to something.
    const tell = (state: Known): void => {
      if (known.get(key)?.state !== 'misconfigured') known.set(key, state);
    };
    if (exists(place.target)) tell({ state: 'checking', message: `Checking ${key}` });
    else tell({ state: 'installing', message: `Installing ${key}` });
    const done = (state: Known | null): void => {
      if (state !== null) known.set(key, state);
      running.delete(key);
      if (state !== null && !closing.signal.aborted) options.onChange();
    };
    void checks.add(async () => {
      let found: Inspection;
      try {
        found = await inspect(place);
      } catch (error) {
        return done(failed(`${key} could not be checked, which is tried again: ${errorMessage(error)}`, log));
      }
      if (found.state === 'sound') {
        const { removed, manifest } = found;
        if (removed.length > 0) {
          log.warn({ count: removed.length, files: removed.slice(0, 10) }, 'removed what was added to the package');
        }
        return done(await settle(place, manifest));
      }
      const why = found.state === 'damaged' ? found.why : null;
      if (why !== null) {
        log.warn({ reason: why }, 'is not as it was installed; it is installed again');
        tell({ state: 'installing', message: `Installing ${key} again: ${why}` });
      }
      void installs.add(async () => done(await install(key, place, why, log)));
    });
  }

  /** `why` it is installed again, if it is. Null: another controller is at it; it is asked for again soon. */
  async function install(key: string, place: PackagePlace, why: string | null, log: Logger): Promise<Known | null> {
    if (closing.signal.aborted) return null;
    try {
      const outcome = await installPackage(place, closing.signal);
      if (outcome.kind === 'busy') return null;
      log.info(installationOf(outcome.manifest), 'installed');
      return await settle(place, outcome.manifest);
    } catch (error) {
      const changed = error instanceof MiniMcpError && error.code === 'PackageChanged';
      const again = why === null ? '' : ' again';
      const told = `${key} could not be installed${again}: ${errorMessage(error)}`;
      return failed(
        why === null ? told : `${key} is damaged: ${why}. ${told}`,
        log,
        changed ? changedRetryMs : retryMs,
      );
    }
  }

  return {
    resolve(name, version) {
      const key = `${name}@${version}`;
      const place = placeOf(options.directory, name, version);
      const now = known.get(key);
      if (now?.state === 'ready' && exists(now.entry)) return now;
      if (now?.state === 'ready') known.delete(key);
      if (now?.state === 'misconfigured' && performance.now() < now.retryAtMs) return now;
      begin(key, place);
      return known.get(key) ?? { state: 'checking', message: `Checking ${key}` };
    },
    sweep: () => sweepCache(options.directory),
    async close() {
      closing.abort();
      await checks.onIdle();
      await installs.onIdle();
    },
  };
}

function failed(message: string, log: Logger, againMs = unreadableRetryMs): Known {
  log.warn(message);
  return {
    state: 'misconfigured',
    message: toMessage(message),
    installed: false,
    retryAtMs: performance.now() + againMs,
  };
}

/** A program that is not there does not come by itself: the version's content is what it is. */
async function settle(place: PackagePlace, manifest: Manifest): Promise<Known> {
  try {
    const entry = await findEntry(place.target, place.name);
    return { state: 'ready', entry, installation: installationOf(manifest) };
  } catch (error) {
    return { state: 'misconfigured', message: toMessage(errorMessage(error)), installed: true, retryAtMs: Infinity };
  }
}

function exists(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}
