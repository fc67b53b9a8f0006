// A MiniMCP process as far as the embedded server is concerned: starts it as told in its first argument
// (JSON), says on one line how that went, and lives until it is killed.
import { MiniMcpError } from '../../src/errors.ts';
import { startEmbeddedPostgres, type EmbeddedPostgresOptions } from '../../src/postgres/embedded.ts';

const options: EmbeddedPostgresOptions = JSON.parse(process.argv[2] ?? '');
try {
  const { pid, adopted, connectionString } = await startEmbeddedPostgres(options);
  console.log(JSON.stringify({ pid, adopted, connectionString }));
} catch (error) {
  const code = error instanceof MiniMcpError ? error.code : String(error);
  console.log(JSON.stringify({ code, message: error instanceof Error ? error.message : '' }));
}
setInterval(() => {}, 60_000);
