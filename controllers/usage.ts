import pidusage from 'pidusage';
import type { UsageWrite } from '../src/db/observations.ts';
import { descendants } from './runtime/process-table.ts';

export interface Usage {
  /** Cores, over the time since the last measurement. */
  readonly cpu: number;
  readonly memoryBytes: number;
}

/** CPU and resident memory of processes with all their descendants, by root pid; what is gone is left out. */
export async function measureTrees(roots: readonly number[]): Promise<Map<number, Usage>> {
  const trees = new Map(roots.map(root => [root, [root, ...descendants(root).map(row => row.pid)]]));
  const pids = [...trees.values()].flat();
  if (pids.length === 0) return new Map();
  // What is gone is left out; when the whole call fails, this time nothing is known.
  const stats: Record<string, { cpu: number; memory: number } | undefined> = await pidusage(pids).catch(() => ({}));
  const usages = new Map<number, Usage>();
  for (const [root, tree] of trees) {
    const found = tree.flatMap(pid => stats[String(pid)] ?? []);
    if (found.length === 0) continue;
    usages.set(root, {
      cpu: found.reduce((sum, stat) => sum + stat.cpu, 0) / 100,
      memoryBytes: found.reduce((sum, stat) => sum + stat.memory, 0),
    });
  }
  return usages;
}

/** Whether a reader would notice: idle instances cause no writes. */
export function isMaterial(before: UsageWrite | null, now: UsageWrite): boolean {
  if (before === null) return true;
  if (before.requests !== now.requests) return true;
  return differs(before.cpu, now.cpu, 0.02, 0.25) || differs(before.memoryBytes, now.memoryBytes, 2 ** 21, 0.1);
}

function differs(before: number | null, now: number | null, absolute: number, relative: number): boolean {
  if (before === null || now === null) return before !== now;
  return Math.abs(now - before) > Math.max(absolute, before * relative);
}
