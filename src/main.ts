import { parseArgs } from 'node:util';
import { loadConfig } from './config.ts';
import { MiniMcpError, errorMessage } from './errors.ts';
import { createLogger } from './logger.ts';
import { version } from './version.ts';
import { startApi } from './roles/api.ts';
import { controllerNames, startControllers } from './roles/controllers.ts';
import type { ControllerName } from './roles/controllers.ts';
import { openDatabase } from './roles/database.ts';
import { firstSignal } from './roles/signals.ts';
import { up } from './roles/up.ts';

const usage = `Usage: minimcp COMMAND

  up            everything on this machine, until Ctrl-C
  api           the API alone
  controllers   the controllers alone; --only expiry,scheduler,process,health,cleanup
  migrate       bring the database schema to this version

  --help  --version
`;

const done = 0;
const failed = 1;
const wrongUsage = 2;

/** Runs one command; resolves with the exit status of the contract. */
async function run(args: readonly string[]): Promise<number> {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { help: { type: 'boolean' }, version: { type: 'boolean' }, only: { type: 'string' } },
    });
  } catch (error) {
    return complain(errorMessage(error));
  }
  const { values, positionals } = parsed;
  const [command, ...rest] = positionals;
  if (values.version) return print(`${version}\n`);
  if (values.help || command === 'help') return print(usage);
  if (command === undefined) return complain('Say what to do');
  if (rest.length > 0) return complain(`"${rest[0]}" is one word too many`);
  if (values.only !== undefined && command !== 'controllers')
    return complain('--only belongs to `minimcp controllers`');
  const only = chosen(values.only);
  if (typeof only === 'string') return complain(only);

  const config = loadConfig(process.env);
  const log = createLogger(config.logLevel);
  switch (command) {
    case 'up':
      return up(config, log);
    case 'migrate': {
      const database = await openDatabase(config, log);
      await (database.shared ? database.release() : database.stop());
      return print('The database is at this version\n');
    }
    case 'api': {
      const signal = firstSignal(() => process.exit(130));
      const database = await openDatabase(config, log);
      const api = await startApi(config, database.connectionString, log);
      log.info({ url: api.url }, 'the API listens');
      await signal;
      await api.stop();
      // Others may work with the embedded server; it stays for them.
      return done;
    }
    case 'controllers': {
      const signal = firstSignal(() => process.exit(130));
      const database = await openDatabase(config, log);
      const controllers = await startControllers({ config, connectionString: database.connectionString, only, log });
      log.info({ node: config.node, controllers: only }, 'the controllers run');
      await signal;
      await controllers.stop();
      return done;
    }
    default:
      return complain(`There is no command "${command}"`);
  }
}

function chosen(only: string | undefined): readonly ControllerName[] | string {
  if (only === undefined) return controllerNames;
  const names = only.split(',');
  const unknown = names.find(name => !controllerNames.some(known => known === name));
  return unknown === undefined
    ? controllerNames.filter(name => names.includes(name))
    : `There is no controller "${unknown}"; there are ${controllerNames.join(', ')}`;
}

function print(text: string): number {
  process.stdout.write(text);
  return done;
}

function complain(message: string): number {
  process.stderr.write(`${message}\n\n${usage}`);
  return wrongUsage;
}

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  process.exitCode = failed;
  const hint = error instanceof MiniMcpError && error.hint !== undefined ? `\n${error.hint}` : '';
  process.stderr.write(`minimcp: ${errorMessage(error)}${hint}\n`);
}
// What is still open (a kept connection, a child's handle) must not hold the command up.
process.exit();
