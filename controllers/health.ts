import type { HostHealth } from '../specs/assignment.ts';
import { readProbeTarget, readProbeTargets } from '../src/db/attempts.ts';
import type { ProbeTarget } from '../src/db/attempts.ts';
import type { RingKind } from '../src/db/listener.ts';
import { recordProbe, recordUsage } from '../src/db/observations.ts';
import type { UsageWrite } from '../src/db/observations.ts';
import type { Pool } from '../src/db/pool.ts';
import { errorMessage } from '../src/errors.ts';
import type { Logger } from '../src/logger.ts';
import type { Vault } from '../src/secrets/envelope.ts';
import { expectsTools, recordToolList } from './health-tools.ts';
import type { ToolsWatched } from './health-tools.ts';
import { planHealth } from './health.plan.ts';
import type { HealthTiming, Probe } from './health.plan.ts';
import type { HostAddress, HostClient } from './host-client.ts';
import { createLoop } from './loop.ts';
import type { Loop } from './loop.ts';
import { isMaterial, measureTrees } from './usage.ts';

export interface HealthOptions {
  readonly pool: Pool;
  readonly vault: Vault;
  readonly hosts: HostClient;
  readonly node: string;
  readonly instanceHost: string;
  readonly timing: HealthTiming & {
    /** Between probes of an instance that is in use. */
    readonly activeMs: number;
    readonly probeTimeoutMs: number;
    readonly usageMs: number;
  };
  readonly resyncMs: number;
  readonly log: Logger;
}

export const healthTiming: HealthOptions['timing'] = {
  calmMs: 12_000,
  activeMs: 2_000,
  suspiciousMs: 500,
  failures: 3,
  probeTimeoutMs: 3_000,
  usageMs: 15_000,
};

export interface HealthController {
  readonly loops: readonly Loop[];
  onRing(kind: RingKind, key: string): void;
}

interface Patient {
  readonly target: ProbeTarget;
  /** As recorded. */
  ready: boolean | null;
  failuresInARow: number;
  /** The sense of the message that is recorded. */
  said: string;
  probed: { requests: number; accessedAt: number | null };
  written: UsageWrite | null;
  readonly tools: ToolsWatched;
}

/** Asks every host of this node whether it serves, meters its processes, and records what changed. */
export function createHealthController(options: HealthOptions): HealthController {
  const { pool, vault, hosts, node, timing, log } = options;
  const patients = new Map<string, Patient>();

  /** The patient as the database has it now; a new attempt is a new patient. */
  function admit(target: ProbeTarget): Patient {
    const known = patients.get(target.instance_uid);
    if (known?.target.attempt_id === target.attempt_id) {
      known.ready = target.ready;
      known.tools.recorded = target.tools_hash;
      return known;
    }
    const patient: Patient = {
      target,
      ready: target.ready,
      failuresInARow: 0,
      said: '',
      probed: { requests: 0, accessedAt: null },
      written: null,
      tools: { recorded: target.tools_hash, seen: null, waited: 0 },
    };
    patients.set(target.instance_uid, patient);
    return patient;
  }

  function addressOf({ target }: Patient): HostAddress {
    return { host: options.instanceHost, port: target.port, controlToken: vault.controlToken(target.attempt_id) };
  }

  async function probe(patient: Patient): Promise<Probe> {
    const { target } = patient;
    let health: HostHealth;
    try {
      health = await hosts.health(addressOf(patient), timing.probeTimeoutMs);
    } catch (error) {
      return { ok: false, message: `The probe failed: ${errorMessage(error)}` };
    }
    if (health.attempt !== target.attempt_id) return { ok: false, message: 'Another process answers on the port' };
    const ago = health.lastAccessedMsAgo;
    patient.probed = { requests: health.requests, accessedAt: ago === null ? null : performance.now() - ago };
    patient.tools.seen = health.toolsHash;
    return health.ok ? { ok: true } : { ok: false, message: health.message };
  }

  const probes = createLoop({
    name: 'health',
    concurrency: 16,
    resyncMs: options.resyncMs,
    log,
    scan: async () => {
      const targets = await readProbeTargets(pool, node);
      const live = new Set(targets.map(target => target.instance_uid));
      for (const uid of patients.keys()) if (!live.has(uid)) patients.delete(uid);
      // Those that are probed already keep their own rhythm.
      return targets
        .filter(target => isNews(patients.get(target.instance_uid), target))
        .map(target => target.instance_uid);
    },
    async reconcile(uid) {
      // Nobody reads the database to hear that all is well; what rings or fails is looked up.
      const calm = patients.get(uid);
      const seen = calm?.ready === true && calm.failuresInARow === 0 ? await probe(calm) : null;
      if (calm !== undefined && seen?.ok) return rhythm(calm, timing.calmMs);
      const target = await readProbeTarget(pool, node, uid);
      if (target === null) {
        patients.delete(uid);
        return null;
      }
      // What is asked to end may refuse to answer.
      if (target.stopping) return null;
      const patient = admit(target);
      const verdict = planHealth(patient, seen !== null && patient === calm ? seen : await probe(patient), timing);
      patient.failuresInARow = verdict.failuresInARow;
      const { record } = verdict;
      if (record !== null && (record.ready !== patient.ready || sense(record.message) !== patient.said)) {
        await recordProbe(pool, { attemptId: target.attempt_id, ...record });
        patient.said = sense(record.message);
        if (patient.ready !== record.ready) probes.acted(`${record.ready ? 'ready' : 'not ready'} ${uid}`);
        patient.ready = record.ready;
      }
      return rhythm(patient, verdict.nextMs);
    },
  });

  async function rhythm(patient: Patient, nextMs: number): Promise<number> {
    const active = await recordAccess(patient);
    // Before anything is recorded of it there is no row for them.
    if (patient.ready !== null)
      await recordToolList(patient.target.attempt_id, addressOf(patient), patient.tools, options);
    const soonMs =
      active || (patient.ready === true && expectsTools(patient.tools)) ? Math.min(timing.activeMs, nextMs) : nextMs;
    return soonMs * (0.9 + Math.random() / 5);
  }

  /** An instance in use shows its counts soon, and is asked for them more often. */
  async function recordAccess(patient: Patient): Promise<boolean> {
    const now = usageOf(patient, patient.written);
    if ((patient.written?.requests ?? 0) === now.requests) return false;
    await recordUsage(pool, [now]);
    patient.written = now;
    return true;
  }

  const usage = createLoop({
    name: 'health-usage',
    concurrency: 1,
    resyncMs: 60_000,
    log,
    scan: async () => ['all'],
    async reconcile() {
      const measured = await measureTrees([...patients.values()].map(patient => patient.target.pid));
      const changed: UsageWrite[] = [];
      for (const patient of patients.values()) {
        const now = usageOf(patient, measured.get(patient.target.pid));
        if (!isMaterial(patient.written, now)) continue;
        changed.push(now);
        patient.written = now;
      }
      if (changed.length > 0) await recordUsage(pool, changed);
      return timing.usageMs;
    },
  });

  return {
    loops: [probes, usage],
    onRing(kind, key) {
      if (kind === 'attempt') probes.wake(key);
    },
  };
}

function usageOf(
  patient: Patient,
  measured: { cpu: number | null; memoryBytes: number | null } | null | undefined,
): UsageWrite {
  const { requests, accessedAt } = patient.probed;
  return {
    attemptId: patient.target.attempt_id,
    cpu: measured?.cpu ?? null,
    memoryBytes: measured?.memoryBytes ?? null,
    requests,
    lastAccessedMsAgo: accessedAt === null ? null : performance.now() - accessedAt,
  };
}

/** A new attempt, or the database knows less of it than we do: after a failover it may have gone back in time. */
function isNews(patient: Patient | undefined, target: ProbeTarget): boolean {
  if (patient?.target.attempt_id !== target.attempt_id) return true;
  const differs = patient.ready !== target.ready || patient.tools.recorded !== target.tools_hash;
  patient.ready = target.ready;
  patient.tools.recorded = target.tools_hash;
  return differs;
}

/** A message without its numbers: a second more of waiting is no news. */
function sense(message: string): string {
  return message.replaceAll(/\d+(\.\d+)?/g, '#');
}
