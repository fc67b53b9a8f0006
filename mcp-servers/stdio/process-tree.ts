import { readdirSync, readFileSync } from 'node:fs';

/** A process that cannot be mistaken for a later one with the same pid. */
export interface Member {
  readonly pid: number;
  readonly startTime: string;
}

/**
 * All processes below the root, and all whose environment carries the marker, wherever they have gone:
 * a grandchild that called setsid keeps its environment, one that cleared its environment has its parents.
 * Without a root, which has to be alive, the marker alone counts.
 */
export interface Family {
  /** `NAME=value`. */
  readonly marker: string;
  readonly root: number | null;
}

interface Stat extends Member {
  readonly parent: number;
  readonly zombie: boolean;
}

/** A family, as it is then, and whom to tell when nobody is left of it. */
interface Doomed {
  read(): Family;
  gone(): void;
}

const doomed: Doomed[] = [];
/** How long the last look at all processes took. */
let lookedMs = 0;

/** Kills a family again and again until nobody is left. */
export function endFamily(read: () => Family): Promise<void> {
  return new Promise(gone => {
    if (doomed.push({ read, gone }) === 1) void endDoomed();
  });
}

/**
 * A look at all processes of a machine takes long and nothing else is done meanwhile: one serves all families,
 * and at most half of the time goes into looking.
 */
async function endDoomed(): Promise<void> {
  while (doomed.length > 0) {
    await wait(Math.max(5, lookedMs));
    const startedMs = performance.now();
    const members = listMembers(doomed.map(({ read }) => read()));
    for (const [index, { gone }] of doomed.entries()) if (members[index]!.length === 0) gone();
    doomed.splice(0, doomed.length, ...doomed.filter((_, index) => members[index]!.length > 0));
    killMembers(members.flat(), 'SIGKILL');
    lookedMs = performance.now() - startedMs;
  }
}

/** The members of each family, in the order of the families. Empty where there is no /proc. */
export function listMembers(families: readonly Family[]): Member[][] {
  const stats = new Map(
    listPids()
      .flatMap(pid => readStat(pid) ?? [])
      .map(stat => [stat.pid, stat]),
  );
  const below = (root: number | null, stat: Stat, depth = 0): boolean => {
    if (stat.parent === root) return true;
    const parent = stats.get(stat.parent);
    return parent !== undefined && depth < 64 && below(root, parent, depth + 1);
  };
  const living = [...stats.values()]
    .filter(({ pid, zombie }) => pid !== process.pid && !zombie)
    .map(stat => ({ stat, markers: readEnvironment(stat.pid) }));
  return families.map(({ marker, root }) =>
    living
      .filter(({ stat, markers }) => markers.has(marker) || below(root, stat))
      .map(({ stat: { pid, startTime } }) => ({ pid, startTime })),
  );
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

/** `NAME=value`, each. Empty for another user's process. */
function readEnvironment(pid: number): ReadonlySet<string> {
  try {
    return new Set(readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0'));
  } catch {
    return new Set();
  }
}

function wait(ms: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, ms).unref();
  });
}
