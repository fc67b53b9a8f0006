import { readFileSync, readdirSync } from 'node:fs';

/**
 * Watches the hosts of one installation from outside the product: it reads /proc every few milliseconds
 * and knows nothing but the command line and the marker. On each line of standard input it answers with
 * what it saw, as a line of JSON.
 */
export interface Sighting {
  /** By instance name: pids that live now. */
  readonly live: Record<string, number[]>;
  /** By instance name: the most hosts that ever lived at the same moment. */
  readonly most: Record<string, number>;
  /** By instance name: how many different hosts were seen. */
  readonly total: Record<string, number>;
  readonly scans: number;
}

interface Host {
  readonly instance: string;
  readonly startTime: string;
}

const owner = process.argv[2]!;
const everyMs = 4;
// A child has its parent's command line until it has called exec, so a new pid is looked at for a while.
const settleScans = 50;

const hosts = new Map<number, Host>();
const seen = new Map<number, number>();
const most: Record<string, number> = {};
const total: Record<string, number> = {};
let scans = 0;

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function statOf(pid: number): string[] {
  const stat = read(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** Start time of a process that lives; null for none and for zombies. */
function startTime(pid: number): string | null {
  const fields = statOf(pid);
  return fields.length < 20 || fields[0] === 'Z' || fields[0] === 'X' ? null : fields[19]!;
}

function scan(): void {
  scans += 1;
  for (const [pid, host] of hosts) {
    if (startTime(pid) !== host.startTime) hosts.delete(pid);
  }
  const pids = new Set<number>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!(pid > 1)) continue;
    pids.add(pid);
    const looks = (seen.get(pid) ?? 0) + 1;
    seen.set(pid, looks);
    if (hosts.has(pid) || looks > settleScans) continue;
    const command = read(`/proc/${pid}/cmdline`).split('\0');
    const at = command.indexOf('--instance');
    if (at === -1 || !command.includes('--attempt') || !read(`/proc/${pid}/environ`).includes(owner)) continue;
    // What a host has forked has the host's command line until it has called exec.
    if (hosts.has(Number(statOf(pid)[1]))) continue;
    const started = startTime(pid);
    if (started === null) continue;
    const instance = command[at + 1]!;
    hosts.set(pid, { instance, startTime: started });
    total[instance] = (total[instance] ?? 0) + 1;
  }
  for (const pid of seen.keys()) if (!pids.has(pid)) seen.delete(pid);
  for (const [instance, live] of Object.entries(liveHosts()))
    most[instance] = Math.max(most[instance] ?? 0, live.length);
}

function liveHosts(): Record<string, number[]> {
  const live: Record<string, number[]> = {};
  for (const [pid, host] of hosts) (live[host.instance] ??= []).push(pid);
  return live;
}

setInterval(scan, everyMs);
process.stdin.on('data', () => {
  scan();
  const sighting: Sighting = { live: liveHosts(), most, total, scans };
  process.stdout.write(`${JSON.stringify(sighting)}\n`);
});
process.stdin.on('end', () => process.exit(0));
