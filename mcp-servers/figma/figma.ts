import type { Program, ProgramContext } from '../host/program.ts';
import { Misconfigured } from '../host/program.ts';

/** Figma's REST API as MCP tools. Throws Misconfigured. */
export function startFigma(_context: ProgramContext): Program {
  throw new Misconfigured('not there yet');
}
