import { enableCompileCache, flushCompileCache } from 'node:module';

/** After this the first requests have been answered, so what they needed is compiled and goes into the cache. */
const flushAfterMs = 2000;

/**
 * Uses the compile cache the controllers name. Written while running: a host that is killed leaves nothing
 * behind otherwise, and hosts are killed. To be called before anything large is loaded.
 */
export function useCompileCache(): void {
  const directory = process.env['MINIMCP_COMPILE_CACHE'];
  if (directory === undefined || directory === '') return;
  enableCompileCache(directory);
  setTimeout(flushCompileCache, flushAfterMs).unref();
}
