import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostExit, HostIdentity } from '../../specs/assignment.ts';

/**
 * Who this process is, in a way a reused pid cannot imitate. Outside Linux there is no boot id, and the
 * start time is what this process believes, in milliseconds of the wall clock.
 */
export function readIdentity(attempt: string): HostIdentity {
  try {
    const stat = readFileSync('/proc/self/stat', 'latin1');
    // Field 22, counted behind the command's last parenthesis: the command itself may contain anything.
    const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!;
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    return { attempt, pid: process.pid, startTime, bootId };
  } catch {
    return { attempt, pid: process.pid, startTime: String(Math.round(performance.timeOrigin)), bootId: '' };
  }
}

/** Throws when it cannot be written: a host that nobody could find again must not go on. */
export function writeIdentity(directory: string, identity: HostIdentity): void {
  writeAtomically(join(directory, 'identity.json'), identity);
}

/** The last words. Whether they could be written changes nothing about the end. */
export function writeExit(directory: string, exit: HostExit): void {
  try {
    writeAtomically(join(directory, 'exit.json'), exit);
  } catch {
    // A full disk or a directory that was removed: the exit status still says why.
  }
}

function writeAtomically(path: string, value: object): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(value)}\n`, { mode: 0o600 });
  renameSync(temporary, path);
}
