import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createPackageCache } from '../../controllers/packages.ts';
import { createLogger } from '../../src/logger.ts';
import { until } from '../support/until.ts';

function createCache(): { directory: string; cache: ReturnType<typeof createPackageCache> } {
  const directory = mkdtempSync(join(tmpdir(), 'minimcp-packages-'));
  const cache = createPackageCache({ directory, onChange: () => {}, log: createLogger('silent') });
  onTestFinished(() => {
    cache.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return { directory, cache };
}

test('a package that does not exist is told in words that are the same at each try, and leaves nothing', async () => {
  const { directory, cache } = createCache();
  const old = join(directory, '.installing-old');
  const young = join(directory, '.installing-young');
  for (const path of [old, young]) mkdirSync(path);
  utimesSync(old, 1, 1);
  expect(cache.resolve('@minimcp-test/no-such-package', '1.0.0').state).toBe('installing');
  const failed = await until(
    'npm gives up',
    () => {
      const found = cache.resolve('@minimcp-test/no-such-package', '1.0.0');
      return found.state === 'misconfigured' && found;
    },
    15_000,
  );
  expect(failed.message).toMatch(/could not be installed: .*404/);
  expect(failed.message).not.toMatch(/_logs|complete log/);
  // What a kill -9 left long ago is gone; what may still run is not.
  expect(readdirSync(directory)).toEqual(['.installing-young']);
});
