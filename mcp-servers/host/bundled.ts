/**
 * The entry of a built host, dist/host.js: `node host.js --type <type> --instance <name> --attempt <uuid>`.
 * Every type has a file of its own beside it, so that none loads what another needs.
 */
import { useCompileCache } from './compile-cache.ts';

useCompileCache();
const type = process.argv[process.argv.indexOf('--type') + 1] ?? '';
const core = `./hosts/${type}.cjs`;
const { runHost } = (await import(core)) as typeof import('./host.ts');
await runHost(process.argv.slice(2));
