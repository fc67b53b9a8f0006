#!/usr/bin/env node
/**
 * The program of every instance: `node main.ts --instance <name> --attempt <uuid>` with an IPC channel.
 * Everything it needs is loaded before the assignment comes, so that a host can be started before it is needed.
 */
import { useCompileCache } from './compile-cache.ts';

useCompileCache();
const { runHost } = await import('./host.ts');
await runHost(process.argv.slice(2));
