import { createPackageCache } from '../../controllers/packages.ts';
import { createLogger } from '../../src/logger.ts';

/** A process of its own with a cache: resolves one package again and again, says what came of it, and ends. */
const [directory = '', name = '', version = ''] = process.argv.slice(2);
const cache = createPackageCache({ directory, onChange: () => {}, log: createLogger('silent') });
const look = setInterval(() => {
  const found = cache.resolve(name, version);
  if (found.state !== 'ready' && found.state !== 'misconfigured') return;
  clearInterval(look);
  process.stdout.write(JSON.stringify(found));
  void cache.close();
}, 20);
