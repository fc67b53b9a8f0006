import type { Program, ProgramContext } from '../host/program.ts';
import { Misconfigured } from '../host/program.ts';

/** Gmail's REST API as MCP tools. Throws Misconfigured. */
export function startGmail(_context: ProgramContext): Program {
  throw new Misconfigured('not there yet');
}
