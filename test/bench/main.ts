import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../src/postgres/embedded.ts';
import { startFakeGithub } from '../support/github.ts';
import { until } from '../support/until.ts';
import { keyValues, timeBare, timeBareStorm } from './baseline.ts';
import { cpuSeconds, median, pairedRatio, printTable, spread } from './figures.ts';
import type { Row } from './figures.ts';
import { declare, remove, startProduct, status, timeDeclared, timeKilled } from './product.ts';
import type { Product } from './product.ts';
import { measureTypes } from './types.ts';

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 15);
const storm = Number(process.env['BENCH_INSTANCES'] ?? 50);
const stormRounds = 3;
const idleSeconds = 20;
const apiPort = 26_001;
const firstPort = 26_100;
const barePorts = Array.from({ length: storm }, (_, index) => 25_000 + index);

const directory = mkdtempSync(join(tmpdir(), 'minimcp-bench-'));
const say = (text: string): boolean => process.stderr.write(`${text}\n`);

const fake = await startFakeGithub();

async function measure(product: Product): Promise<Row[]> {
  for (const [type, values] of Object.entries(keyValues)) {
    await product.api('PUT', `/api-keys/bench-${type}`, { type, values });
  }

  say(`POST to the first answer, ${rounds} pairs …`);
  const declared: number[] = [];
  const bare: number[] = [];
  for (let round = -2; round < rounds; round++) {
    const bareMs = await timeBare(directory, barePorts[0]!, fake.url);
    const name = `post-${round + 2}`;
    const ms = await timeDeclared(product, name);
    await until('it is Ready', async () => (await status(product, name)).phase === 'Ready', 30_000);
    await remove(product, [name]);
    // The first rounds warm caches on both sides.
    if (round < 0) continue;
    bare.push(bareMs);
    declared.push(ms);
  }

  say(`kill -9 to the next answer, ${rounds} pairs …`);
  const killed: number[] = [];
  const bareAgain: number[] = [];
  for (let round = 0; round < rounds; round++) {
    bareAgain.push(await timeBare(directory, barePorts[0]!, fake.url));
    // A new one each time: the second death in a row waits on purpose.
    const name = `kill-${round}`;
    await declare(product, name);
    killed.push(await timeKilled(product, name));
    await remove(product, [name]);
  }

  say(`${storm} at once, ${stormRounds} pairs …`);
  const storms: number[] = [];
  const bareStorms: number[] = [];
  const names = Array.from({ length: storm }, (_, index) => `storm-${index}`);
  for (let round = 0; round < stormRounds; round++) {
    bareStorms.push(await timeBareStorm(directory, barePorts, fake.url));
    const from = performance.now();
    await Promise.all(names.map(name => declare(product, name)));
    await until(
      'all are Ready',
      async () => {
        const page = await product.api('GET', `/mcps?phase=Ready&limit=500`);
        return (page.body['items'] as unknown[]).length === storm;
      },
      120_000,
    );
    storms.push(performance.now() - from);
    if (round < stormRounds - 1) await remove(product, names);
  }

  say(`idle for ${idleSeconds} s …`);
  await new Promise(resolve => setTimeout(resolve, 5_000));
  const before = cpuSeconds(product.controllersPid);
  await new Promise(resolve => setTimeout(resolve, idleSeconds * 1000));
  const idle = ((cpuSeconds(product.controllersPid) - before) / idleSeconds) * 100;
  await remove(product, names);

  const ratio = (value: number): string => `${value.toFixed(2)} ×`;
  return [
    {
      what: 'POST → first MCP answer',
      ours: spread(declared, 'ms'),
      baseline: `bare spawn ${spread(bare, 'ms')}`,
      ratio: ratio(pairedRatio(declared, bare)),
      aim: '≤ 1.15 ×',
    },
    {
      what: 'kill -9 → next answer',
      ours: spread(killed, 'ms'),
      baseline: `bare spawn ${spread(bareAgain, 'ms')}`,
      ratio: ratio(pairedRatio(killed, bareAgain)),
      aim: '≤ 1.15 ×',
    },
    {
      what: `${storm} declared → all Ready`,
      ours: spread(storms, 'ms'),
      baseline: `parallel spawn ${spread(bareStorms, 'ms')}`,
      ratio: ratio(median(storms) / median(bareStorms)),
      aim: '≤ 1.25 ×',
    },
    {
      what: `controllers idle at ${storm}`,
      ours: `${idle.toFixed(2)} % of a core`,
      baseline: 'one core',
      ratio: ratio(idle / 100),
      aim: '≤ 0.01 ×',
    },
  ];
}

const database = await startEmbeddedPostgres({ dataDir: directory });
let product: Product | undefined;
try {
  product = await startProduct(directory, apiPort, `${firstPort}-${firstPort + 200}`, fake.url);
  const rows = await measure(product);
  printTable([...rows, ...(await measureTypes(product, directory, rounds))]);
} finally {
  await product?.end();
  await database.stop();
  await fake[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
}
