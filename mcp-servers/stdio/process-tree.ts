import { readdirSync, readFileSync } from 'node:fs';

/** A process that cannot be mistaken for a later one with the same pid. */
export interface Member {
  readonly pid: number;
  readonly startTime: string;
}

interface Stat extends Member {
  readonly parent: number;
  readonly zombie: boolean;
}

/**
 * All processes below the root, and all whose environment carries the marker, wherever they have gone:
 * a grandchild that called setsid keeps its environment, one that cleared its environment has its parents.
 * Without a root, which has to be alive, the marker alone counts. Empty where there is no /proc.
 */
export function listMembers(marker: string, root: number | null): Member[] {
  const stats = new Map(
    listPids()
      .flatMap(pid => readStat(pid) ?? [])
      .map(stat => [stat.pid, stat]),
  );
  const below = (stat: Stat, depth = 0): boolean => {
    if (stat.parent === root) return true;
    const parent = stats.get(stat.parent);
    return parent !== undefined && depth < 64 && below(parent, depth + 1);
  };
  return [...stats.values()]
    .filter(stat => stat.pid !== process.pid && !stat.zombie && (below(stat) || carries(stat.pid, marker)))
    .map(({ pid, startTime }) => ({ pid, startTime }));
}

/** Kills those that are still who they were. Never throws. */
export function killMembers(members: readonly Member[], signal: NodeJS.Signals): void {
  for (const { pid, startTime } of members) {
    if (readStat(pid)?.startTime !== startTime) continue;
    try {
      process.kill(pid, signal);
    } catch {
      // Gone between the two lines, or another user's: nothing this process can do.
    }
  }
}

function listPids(): number[] {
  try {
    return readdirSync('/proc').map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}

function readStat(pid: number): Stat | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { pid, parent: Number(fields[1]), startTime: fields[19]!, zombie: fields[0] === 'Z' || fields[0] === 'X' };
  } catch {
    return null;
  }
}

function carries(pid: number, marker: string): boolean {
  try {
    return `\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}`.includes(`\0${marker}\0`);
  } catch {
    return false;
  }
}
