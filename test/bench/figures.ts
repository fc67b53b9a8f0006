import { readFileSync } from 'node:fs';

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** `median (least to most)`. */
export function spread(values: readonly number[], unit: string): string {
  const round = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toFixed(1));
  return `${round(median(values))} ${unit} (${round(Math.min(...values))} to ${round(Math.max(...values))})`;
}

/** Median of the ratios pair by pair: what holds when the machine's speed drifts. */
export function pairedRatio(values: readonly number[], baseline: readonly number[]): number {
  return median(values.map((value, index) => value / baseline[index]!));
}

/** CPU seconds that a process has used, from /proc. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticksPerSecond = 100;
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Memory that a process has to itself plus its share of what it shares (PSS), in bytes. */
export function memoryBytes(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
  return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1]) * 1024;
}

export interface Row {
  readonly what: string;
  readonly ours: string;
  readonly baseline: string;
  readonly ratio: string;
  readonly aim: string;
}

export function printTable(rows: readonly Row[]): void {
  const head: Row = { what: 'what', ours: 'MiniMCP', baseline: 'baseline', ratio: 'ratio', aim: 'aim' };
  const columns = ['what', 'ours', 'baseline', 'ratio', 'aim'] as const;
  const widths = columns.map(column => Math.max(...[head, ...rows].map(row => row[column].length)));
  for (const row of [head, ...rows]) {
    process.stdout.write(
      `${columns
        .map((column, index) => row[column].padEnd(widths[index]!))
        .join('  ')
        .trimEnd()}\n`,
    );
  }
}
