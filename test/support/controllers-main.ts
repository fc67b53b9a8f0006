import { loadConfig } from '../../src/config.ts';
import { createLogger } from '../../src/logger.ts';
import { controllerNames, startControllers } from '../../src/roles/controllers.ts';
import type { ControllerName } from '../../src/roles/controllers.ts';

/** `minimcp controllers` with the limits that a test asks for. */
const options = JSON.parse(process.env['TEST_CONTROLLERS'] ?? '{}') as {
  only?: ControllerName[];
  limits?: Record<string, number>;
  timing?: Record<string, number>;
  resyncMs?: number;
};
const config = loadConfig(process.env);
const controllers = await startControllers({
  config,
  connectionString: config.databaseUrl!,
  log: createLogger(config.logLevel),
  ...options,
  only: options.only ?? controllerNames,
});
process.stdout.write('running\n');
process.once('SIGTERM', () => void controllers.stop().then(() => process.exit(0)));
