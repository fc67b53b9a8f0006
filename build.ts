/**
 * `node build.ts`: bundles what runs into dist/. Every instance is a process, so the host's start is a feature:
 * CommonJS in one file, because Node's ESM loader costs 4 ms and 6 MB more for the same code; without what no
 * host uses (zod's locales, the SDK's Ajv, undici); behind an entry so small that the compile cache is on
 * before anything large is read. And as a start-up snapshot, which halves what is left.
 */
import { spawnSync } from 'node:child_process';
import { renameSync } from 'node:fs';
import { resolve } from 'node:path';
import { build } from 'esbuild';
import type { BuildOptions, Plugin } from 'esbuild';

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

const hostCore: BuildOptions = {
  ...common,
  entryPoints: [from('mcp-servers/host/host.ts')],
  outfile: from('dist/host-core.cjs'),
  format: 'cjs',
  plugins: [replaced],
  inject: [from('mcp-servers/host/web-response.ts')],
};

/** main.ts alone: it takes the core from the file beside it. */
const core: Plugin = {
  name: 'core',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/host\.ts$/ }, () => ({ path: './host-core.cjs', external: true }));
  },
};

const hostEntry: BuildOptions = {
  ...common,
  entryPoints: [from('mcp-servers/host/main.ts')],
  outfile: from('dist/host.js'),
  format: 'esm',
  plugins: [core],
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

const hostSnapshot: BuildOptions = {
  ...hostCore,
  entryPoints: [from('mcp-servers/host/snapshot.ts')],
  outfile: from('dist/host-snapshot.cjs'),
  banner: { js: lateBuiltins },
};

/** For this very Node binary, which its name says: `node --snapshot-blob <blob> host --instance …`. */
function buildSnapshot(): void {
  const blob = from(`dist/host-${process.version}-${process.platform}-${process.arch}.blob`);
  const args = ['--snapshot-blob', `${blob}.tmp`, '--build-snapshot', from('dist/host-snapshot.cjs')];
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit', env: {} });
  if (status === 0) renameSync(`${blob}.tmp`, blob);
  else process.stderr.write('The host snapshot could not be built; hosts start from dist/host.js instead.\n');
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

await Promise.all([hostCore, hostEntry, hostSnapshot, cli].map(options => build(options)));
buildSnapshot();
