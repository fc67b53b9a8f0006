import { figmaConfig } from '../../specs/types/figma.ts';
import type { Program, ProgramContext } from '../host/program.ts';
import { Misconfigured } from '../host/program.ts';
import { createToolProgram } from '../tool/program.ts';
import { changesNothing, readOnlyNote } from '../tool/tool.ts';
import type { FigmaApi } from './api.ts';
import { createClient } from './client.ts';
import type { FigmaAccess } from './client.ts';
import { commentTools } from './comments.ts';
import { dataTools } from './data.ts';
import { createDrawings } from './drawings.ts';
import { explainFailure } from './errors.ts';
import { imageTools } from './images.ts';
import { libraryTools } from './library.ts';
import { metadataTools } from './metadata.ts';
import { createQueue } from './queue.ts';
import type { FigmaTool } from './tool.ts';
import { variableTools } from './variables.ts';

const allTools: readonly FigmaTool[] = [
  ...dataTools,
  ...imageTools,
  ...metadataTools,
  ...commentTools,
  ...libraryTools,
  ...variableTools,
];

/** Of simplified designs, for the whole host. */
const maxKeptBytes = 32 * 1024 * 1024;

/** Figma's REST API as MCP tools. Throws Misconfigured. */
export function startFigma({ assignment, conceal }: ProgramContext): Program {
  const { token } = assignment.secrets;
  if (token === undefined) throw new Misconfigured('A figma instance needs an api key with the value "token".');
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new Misconfigured('The token of the api key is none of Figma: it has spaces or other characters in it.');
  }
  const { readOnly, baseUrl } = figmaConfig.parse(assignment.config);
  const access = { token, baseUrl: baseUrl ?? assignment.upstreamUrl ?? 'https://api.figma.com' };
  let api: FigmaApi | null = null;
  return createToolProgram<FigmaApi>({
    name: 'figma',
    instructions:
      'Figma files for language models. Begin with get_figma_data and the URL or nodeId that the user gives; reading files counts against a small rate limit, so ask for what is needed and go on from the marks in the answer.' +
      (readOnly ? readOnlyNote : ''),
    tools: allTools.filter(tool => !readOnly || changesNothing(tool)),
    connect: async () => (api ??= createApi(access)),
    explain: error => explainFailure(error, Date.now()),
    conceal,
    callMs: 25_000,
  });
}

function createApi(access: FigmaAccess): FigmaApi {
  return { client: createClient(access), drawings: createDrawings(maxKeptBytes), reading: createQueue() };
}
