import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Assignment } from '../specs/assignment.ts';
import { readHandover } from '../src/db/handover.ts';
import type { HandoverRow } from '../src/db/handover.ts';
import type { Pool } from '../src/db/pool.ts';
import type { InstanceRow } from '../src/db/world.ts';
import { apiKeyAad } from '../src/secrets/envelope.ts';
import { MiniMcpError } from '../src/errors.ts';
import type { Vault } from '../src/secrets/envelope.ts';
import type { HostClient } from './host-client.ts';
import { resolveProgram } from './program.ts';
import type { ProgramOptions } from './program.ts';
import { assignServer } from './server-type.ts';

export interface HandoverOptions {
  readonly pool: Pool;
  readonly vault: Vault;
  readonly hosts: HostClient;
  readonly node: string;
  readonly instanceHost: string;
  readonly upstreamUrls: Readonly<Record<string, string>>;
  readonly googleTokenUrl: string | null;
  readonly logLevel: string;
  readonly programs: ProgramOptions;
  readonly runDirectory: (attemptId: string) => string;
}

/** What a host is told: all of it at its start, the lease and the token again when they change. */
export interface Handover {
  assignment(row: InstanceRow, attemptId: string): Promise<Assignment>;
  /** `acknowledged` is called once the host has said yes. */
  renew(row: InstanceRow, acknowledged: (expiresAt: Date | null, tokenVersion: number) => Promise<void>): Promise<void>;
}

const renewTimeoutMs = 2_000;
const keyValues = z.record(z.string(), z.string());

export function createHandover(options: HandoverOptions): Handover {
  const { pool, vault } = options;

  async function read(uid: string): Promise<HandoverRow> {
    const row = await readHandover(pool, uid);
    if (row === null) throw new MiniMcpError('InstanceGone', 'The instance or its token is gone');
    return row;
  }

  async function secrets(row: HandoverRow): Promise<Record<string, string>> {
    const {
      key_uid: uid,
      key_name: name,
      key_version: version,
      key_data_key_id: dataKeyId,
      key_ciphertext: sealed,
    } = row;
    if (uid === null || name === null || version === null || dataKeyId === null || sealed === null) return {};
    return keyValues.parse(JSON.parse(await vault.open(dataKeyId, sealed, apiKeyAad(uid, name, version))));
  }

  return {
    async assignment(row, attemptId) {
      // Before the read: what passes from here on is the lease's, not the host's.
      const startedMs = monotonicMs();
      const current = await read(row.uid);
      const program = resolveProgram(row, options.programs);
      if (program.state !== 'ready') throw new MiniMcpError('Misconfigured', program.message);
      return {
        instance: { uid: row.uid, name: row.name },
        attempt: attemptId,
        node: options.node,
        ...assignServer(row, await secrets(current)),
        // Of a registered type there is none, whatever its name.
        upstreamUrl: program.command === null ? (options.upstreamUrls[row.type] ?? null) : null,
        tokenUrl: options.googleTokenUrl,
        command: program.command,
        tokenHash: current.token_hash.toString('hex'),
        controlTokenHash: createHash('sha256').update(vault.controlToken(attemptId)).digest('hex'),
        ...lease(current),
        monotonicMs: startedMs,
        host: options.instanceHost,
        port: row.attempt?.port ?? row.placement_port!,
        runDirectory: options.runDirectory(attemptId),
        logLevel: options.logLevel,
      };
    },
    async renew(row, acknowledged) {
      const attempt = row.attempt!;
      const startedMs = monotonicMs();
      const current = await read(row.uid);
      const address = { host: options.instanceHost, port: attempt.port, controlToken: vault.controlToken(attempt.id) };
      await options.hosts.renew(
        address,
        { tokenHash: current.token_hash.toString('hex'), ...lease(current), monotonicMs: startedMs },
        renewTimeoutMs,
      );
      await acknowledged(current.expires_at, current.token_version);
    },
  };
}

/** Shared by all processes of the machine, so that a host knows how long its assignment was under way. */
function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Durations are monotonic: the host counts `remainingMs` down and never compares clocks. */
function lease(row: HandoverRow): { expiresAt: string | null; remainingMs: number | null } {
  if (row.expires_at === null) return { expiresAt: null, remainingMs: null };
  return {
    expiresAt: row.expires_at.toISOString(),
    remainingMs: Math.max(0, row.expires_at.getTime() - row.now.getTime()),
  };
}
