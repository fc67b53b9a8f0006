import { randomUUIDv7 } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createCleanup } from '../../controllers/cleanup.ts';
import { createExpiryController } from '../../controllers/expiry.ts';
import { createHandover } from '../../controllers/handover.ts';
import { createHealthController, healthTiming } from '../../controllers/health.ts';
import { createHeartbeat } from '../../controllers/heartbeat.ts';
import { createHostClient } from '../../controllers/host-client.ts';
import type { Loop } from '../../controllers/loop.ts';
import { lockNode } from '../../controllers/node-lock.ts';
import { createPackageCache } from '../../controllers/packages.ts';
import { createProcessController, processLimits } from '../../controllers/process.ts';
import type { ProcessController } from '../../controllers/process.ts';
import type { Limits } from '../../controllers/process-world.ts';
import { createBuiltinRuntime } from '../../controllers/runtime/builtin.ts';
import { bootId } from '../../controllers/runtime/process-table.ts';
import { createScheduler } from '../../controllers/scheduler.ts';
import type { Config } from '../config.ts';
import { readInstallation } from '../db/heartbeats.ts';
import type { NodeBeat } from '../db/heartbeats.ts';
import { openListener } from '../db/listener.ts';
import type { RingKind } from '../db/listener.ts';
import { createPool } from '../db/pool.ts';
import { MiniMcpError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { rememberNodeName } from '../node-name.ts';
import { openVault } from '../secrets/envelope.ts';
import { version } from '../version.ts';

export const controllerNames = ['expiry', 'scheduler', 'process', 'health', 'cleanup'] as const;
export type ControllerName = (typeof controllerNames)[number];

export interface ControllersOptions {
  readonly config: Config;
  readonly connectionString: string;
  readonly only: readonly ControllerName[];
  readonly log: Logger;
  readonly limits?: Partial<Limits>;
  readonly timing?: Partial<typeof healthTiming>;
  readonly resyncMs?: number;
}

export interface RunningControllers {
  /** Ends the processes of this node; false when some were still there after the time. */
  shutdown(timeoutMs: number): Promise<boolean>;
  /** Ends the controllers and leaves the processes alone. */
  stop(): Promise<void>;
}

interface Controller {
  readonly loops: readonly Loop[];
  onRing?(kind: RingKind, key: string): void;
}

/** Runs the named controllers. They meet in the database alone; this is where they are put together. */
export async function startControllers(options: ControllersOptions): Promise<RunningControllers> {
  const { config, log } = options;
  if (config.runtime !== 'builtin') {
    throw new MiniMcpError('RuntimeUnavailable', `MINIMCP_RUNTIME ${config.runtime} is not available yet; use builtin`);
  }
  const resyncMs = options.resyncMs ?? 15_000;
  const runs = new Set(options.only);
  const pool = createPool({
    connectionString: options.connectionString,
    applicationName: 'minimcp controllers',
    onIdleError: error => log.debug({ err: error }, 'a database connection was lost'),
  });
  const installation = await readInstallation(pool);
  const owner = `${installation}/${config.node}`;
  const beat = nodeBeat(config);
  const home = join(config.dataDir, 'instances', installation);
  if (runs.has('process')) rememberNodeName(config.dataDir, config.node);
  const lock = runs.has('process') ? await lockNode(pool, beat, home, log) : null;
  const vault = await openVault({ pool, masterKeyFile: config.masterKeyFile });
  const hosts = createHostClient();
  const controllers: Controller[] = [];
  let processes: ProcessController | null = null;

  // Under the installation's id: with another database this directory's files mean nothing.
  const runRoot = join(home, 'run');
  const workRoot = join(home, 'work');
  const packages = createPackageCache({
    directory: join(config.dataDir, 'packages'),
    onChange: () => processes?.loops.forEach(loop => loop.rescan()),
    log,
  });
  const programs = { workRoot, packages };
  const runtime = createBuiltinRuntime({
    runRoot,
    hostProgram,
    compileCache: join(config.dataDir, 'cache'),
    owner,
    spawnConcurrency: 3,
    onExit: uid => processes?.onRing('instance', uid),
    log,
  });

  if (runs.has('expiry')) controllers.push(createExpiryController({ pool, resyncMs, log: named(log, 'expiry') }));
  if (runs.has('scheduler')) {
    controllers.push(createScheduler({ pool, node: config.node, resyncMs, log: named(log, 'scheduler') }));
  }
  if (runs.has('process')) {
    mkdirSync(runRoot, { recursive: true, mode: 0o700 });
    processes = createProcessController({
      pool,
      node: config.node,
      holder: lock!.holder,
      runtime,
      programs,
      limits: { ...processLimits, ...options.limits },
      newId: randomUUIDv7,
      resyncMs,
      log: named(log, 'process'),
      handover: createHandover({
        pool,
        vault,
        hosts,
        node: config.node,
        instanceHost: config.instanceHost,
        upstreamUrls: config.upstreamUrls,
        googleTokenUrl: config.googleTokenUrl,
        logLevel: config.logLevel,
        programs,
        runDirectory: runtime.runDirectory,
      }),
    });
    controllers.push(processes);
  }
  if (runs.has('health')) {
    controllers.push(
      createHealthController({
        pool,
        vault,
        hosts,
        node: config.node,
        instanceHost: config.instanceHost,
        timing: { ...healthTiming, ...options.timing },
        resyncMs,
        log: named(log, 'health'),
      }),
    );
  }
  if (runs.has('cleanup')) {
    const local = runs.has('process') ? { runtime, runRoot, workRoot, packages } : null;
    controllers.push(createCleanup({ pool, node: config.node, local, log: named(log, 'cleanup') }));
  }

  const loops = controllers.flatMap(controller => controller.loops);
  const heartbeat = createHeartbeat({
    pool,
    node: config.node,
    beat: lock === null ? null : { ...beat, holder: lock.holder },
    controllers: loops,
    log,
  });
  const all = [heartbeat, ...loops];
  for (const loop of all) loop.start();
  const listener = openListener({
    connectionString: options.connectionString,
    applicationName: 'minimcp controllers',
    onRing: (kind, key) => controllers.forEach(controller => controller.onRing?.(kind, key)),
    onConnect: () => {
      processes?.onReconnect();
      for (const loop of all) loop.rescan();
    },
    log: message => log.warn(`controllers: ${message}`),
  });

  let stopped: Promise<void> | undefined;
  return {
    shutdown: async timeoutMs => processes?.shutdown(timeoutMs) ?? true,
    stop: () =>
      (stopped ??= (async () => {
        await listener.close();
        await packages.close();
        await Promise.all(all.map(loop => loop.stop()));
        hosts.close();
        await lock?.release();
        await pool.end();
      })()),
  };
}

function named(log: Logger, controller: ControllerName): Logger {
  return log.child({ controller });
}

function nodeBeat(config: Config): NodeBeat {
  return {
    name: config.node,
    runtime: config.runtime,
    instanceHost: config.instanceHost,
    portFrom: config.portRange.from,
    portTo: config.portRange.to,
    bootId: bootId(),
    version,
  };
}

/**
 * How node is told to run a host: from its type's start-up snapshot where there is one for this very node (half
 * the time to the first answer), else from the bundle, else from its source.
 */
function hostProgram(type: string): readonly string[] {
  const blob = `hosts/${type}-${process.version}-${process.platform}-${process.arch}.blob`;
  const found = (...paths: string[]): string | undefined =>
    paths.map(path => fileURLToPath(new URL(path, import.meta.url))).find(path => existsSync(path));
  const snapshot = found(`./${blob}`, `../../dist/${blob}`);
  if (snapshot !== undefined) return ['--snapshot-blob', snapshot, 'host'];
  const entry = found('./host.js', '../../dist/host.js', '../../mcp-servers/host/main.ts');
  if (entry === undefined) throw new MiniMcpError('HostMissing', 'The host program is missing; run `npm run build`');
  return [entry, '--type', type];
}
