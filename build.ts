/**
 * `node build.ts`: bundles what runs into dist/. Every instance is a process, so the host's start is a feature:
 * CommonJS in one file for each type, because Node's ESM loader costs 4 ms and 6 MB more for the same code;
 * without what no host uses (zod's locales, the SDK's Ajv, undici); behind an entry so small that the compile
 * cache is on before anything large is read. And as a start-up snapshot, which halves what is left.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { build } from 'esbuild';
import type { BuildOptions, Plugin } from 'esbuild';
import { servers } from './mcp-servers/host/servers.ts';

const from = (path: string) => resolve(import.meta.dirname, path);

const common: BuildOptions = { bundle: true, platform: 'node', target: 'node26', minify: true, legalComments: 'none' };

/** Modules that the host does without, and what it gets in their place. */
const replaced: Plugin = {
  name: 'replaced',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^@modelcontextprotocol\/(server|client)\/_shims$/ }, () => ({
      path: from('mcp-servers/host/sdk-shims.ts'),
    }));
    onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js';",
    }));
  },
};

/** Of all server types this one alone: the lines of the others are left out of servers.ts. */
const alone = (type: string): Plugin => ({
  name: 'alone',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]host[\\/]servers\.ts$/ }, ({ path }) => {
      const isOther = (line: string) => /^ {2}\['/.test(line) && !line.startsWith(`  ['${type}',`);
      const lines = readFileSync(path, 'utf8').split('\n');
      return {
        contents: lines.filter(line => !isOther(line)).join('\n'),
        loader: 'ts',
        resolveDir: dirname(path),
      };
    });
  },
});

const hostOf = (type: string): BuildOptions => ({
  ...common,
  entryPoints: [from('mcp-servers/host/host.ts')],
  outfile: from(`dist/hosts/${type}.cjs`),
  format: 'cjs',
  plugins: [replaced, alone(type)],
  inject: [from('mcp-servers/host/web-response.ts')],
});

const hostEntry: BuildOptions = {
  ...common,
  entryPoints: [from('mcp-servers/host/bundled.ts')],
  outfile: from('dist/host.js'),
  format: 'esm',
};

/** A snapshot cannot hold node:http, so every builtin is loaded at its first use; esbuild reads them late. */
const lateBuiltins = `require = name => {
  const load = () => process.getBuiltinModule(name);
  return new Proxy({}, {
    get: (_, key) => load()[key],
    has: (_, key) => key in load(),
    ownKeys: () => Reflect.ownKeys(load()),
    getOwnPropertyDescriptor: (_, key) => ({ configurable: true, enumerable: true, get: () => load()[key] }),
  });
};`;

const snapshotOf = (type: string): BuildOptions => ({
  ...hostOf(type),
  entryPoints: [from('mcp-servers/host/snapshot.ts')],
  outfile: from(`dist/hosts/${type}-snapshot.cjs`),
  banner: { js: lateBuiltins },
});

/** For this very Node binary, which its name says: `node --snapshot-blob <blob> host --instance …`. */
async function buildSnapshot(type: string): Promise<void> {
  await build(snapshotOf(type));
  const blob = from(`dist/hosts/${type}-${process.version}-${process.platform}-${process.arch}.blob`);
  const source = from(`dist/hosts/${type}-snapshot.cjs`);
  const args = ['--snapshot-blob', `${blob}.tmp`, '--build-snapshot', source];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'], env: {} });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-500);
  });
  const [status] = (await once(child, 'close')) as [number | null];
  rmSync(source);
  if (status === 0) return renameSync(`${blob}.tmp`, blob);
  rmSync(`${blob}.tmp`, { force: true });
  const instead = `The snapshot for ${type} could not be built; its hosts start from dist/host.js instead`;
  return void process.stderr.write(`${instead}: ${words.trim()}\n`);
}

/** The command: its packages stay packages, for they are installed with it. */
const cli: BuildOptions = {
  entryPoints: [from('src/main.ts')],
  outfile: from('dist/minimcp.js'),
  bundle: true,
  platform: 'node',
  target: 'node26',
  format: 'esm',
  packages: 'external',
  banner: { js: '#!/usr/bin/env node' },
};

mkdirSync(from('dist/hosts'), { recursive: true });
const types = [...servers.keys()];
await Promise.all([hostEntry, cli, ...types.map(hostOf)].map(options => build(options)));
for (const type of types) await buildSnapshot(type);
