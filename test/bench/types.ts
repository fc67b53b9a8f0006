import { until } from '../support/until.ts';
import { keyValues, spawnBare, timeBare } from './baseline.ts';
import { median, memoryBytes, pairedRatio, spread } from './figures.ts';
import type { Row } from './figures.ts';
import { firstAnswer } from './mcp.ts';
import { declare, remove, status, timeDeclared } from './product.ts';
import type { Product } from './product.ts';

const barePort = 25_900;
const idleInstances = 4;
/** Nobody listens there, and nobody asks: the first answer needs no vendor. */
const nowhere = 'http://127.0.0.1:9';

/** Time to the first answer and memory when idle, for each built-in type: none pays for another's libraries. */
export async function measureTypes(product: Product, directory: string, rounds: number): Promise<Row[]> {
  const rows: Row[] = [];
  for (const type of Object.keys(keyValues)) {
    process.stderr.write(`${type}: first answer and memory …\n`);
    const declared: number[] = [];
    const bare: number[] = [];
    for (let round = -1; round < rounds; round++) {
      const bareMs = await timeBare(directory, barePort, nowhere, type);
      const name = `${type}-${round + 1}`;
      const ms = await timeDeclared(product, name, type);
      await remove(product, [name]);
      if (round < 0) continue;
      bare.push(bareMs);
      declared.push(ms);
    }
    rows.push({
      what: `${type}: POST → first answer`,
      ours: spread(declared, 'ms'),
      baseline: `bare spawn ${spread(bare, 'ms')}`,
      ratio: `${pairedRatio(declared, bare).toFixed(2)} ×`,
      aim: '≤ 1.15 ×',
    });
    const bareBytes = await measureBare(directory, type);
    const bytes = await measureIdle(product, type);
    const mib = (each: number): string => (each / 2 ** 20).toFixed(1);
    rows.push({
      what: `${type}: memory of one idle`,
      ours: `${mib(bytes)} MiB (PSS)`,
      baseline: `bare spawn ${mib(bareBytes)} MiB`,
      ratio: `${(bytes / bareBytes).toFixed(2)} ×`,
      aim: '≤ 1.25 ×',
    });
  }
  return rows;
}

/** Bytes of one instance that is Ready and has been probed, the median of several that run at once. */
async function measureIdle(product: Product, type: string): Promise<number> {
  const names = Array.from({ length: idleInstances }, (_, index) => `${type}-idle-${index}`);
  await Promise.all(names.map(name => declare(product, name, type)));
  const pids: number[] = [];
  for (const name of names) {
    await until('it is Ready', async () => (await status(product, name)).phase === 'Ready', 30_000);
    pids.push((await status(product, name)).pid!);
  }
  await new Promise(resolve => setTimeout(resolve, 2000));
  const bytes = median(pids.map(memoryBytes));
  await remove(product, names);
  return bytes;
}

/** The same of bare spawns that have answered once. */
async function measureBare(directory: string, type: string): Promise<number> {
  const ports = Array.from({ length: idleInstances }, (_, index) => barePort + index);
  const all = await Promise.all(ports.map(port => spawnBare(directory, port, 'bench', nowhere, type)));
  await Promise.all(ports.map(port => firstAnswer(port, 'bench')));
  await new Promise(resolve => setTimeout(resolve, 2000));
  const bytes = median(all.map(({ child }) => memoryBytes(child.pid!)));
  await Promise.all(all.map(bare => bare.end()));
  return bytes;
}
