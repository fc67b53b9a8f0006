import type {
  GetLocalVariablesResponse,
  LocalVariable,
  LocalVariableCollection,
  VariableValue,
} from '@figma/rest-api-spec';
import { z } from 'zod';
import { showStructured } from '../tool/result.ts';
import { reads } from '../tool/tool.ts';
import { describeColor } from './design/paint.ts';
import { aliasOf, isNode, listOf, textOf } from './design/raw.ts';
import { CannotDo, FigmaRefusal } from './errors.ts';
import { file, readFileReference } from './reference.ts';
import { cut, defineTool, page, paging, perPage, takePage } from './tool.ts';
import type { FigmaTool } from './tool.ts';

const maxTextLength = 500;

const output = z.object({
  collections: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      modes: z.array(z.string()),
      defaultMode: z.string().nullable(),
      count: z.number(),
    }),
  ),
  items: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      type: z.string(),
      collection: z.string(),
      values: z
        .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
        .describe('By mode; colors as #RRGGBB(AA), another variable as → its name'),
      description: z.string(),
      codeSyntax: z.record(z.string(), z.string()).describe('What it is called in code, by platform'),
      remote: z.boolean().describe('From a library'),
    }),
  ),
  paging,
});

const getVariables = defineTool({
  name: 'get_variables',
  title: 'List variables',
  description:
    'Variables (design tokens) of a file with their values in every mode, those of libraries that it uses among ' +
    'them. Only for files of Enterprise plans.',
  input: z.object({
    fileKey: file,
    collection: z.string().min(1).max(200).optional().describe('Only those of the collection of this name or id'),
    type: z.enum(['BOOLEAN', 'FLOAT', 'STRING', 'COLOR']).optional().describe('Only those of this type'),
    page,
    perPage,
  }),
  output,
  annotations: reads,
  async run(input, { api, signal }) {
    const { fileKey } = readFileReference(input.fileKey);
    const request = { tier: 2, resource: fileKey, path: `/v1/files/${fileKey}/variables/local` } as const;
    const { data } = await api.client.ask<GetLocalVariablesResponse>(request, signal).catch(explainPlan);
    const variables = valuesOf<LocalVariable>(data.meta?.variables);
    const collections = valuesOf<LocalVariableCollection>(data.meta?.variableCollections);
    const collectionOf = new Map(collections.map(each => [each.id, each]));
    const names = new Map(variables.map(({ id, name }) => [id, name]));
    const found = variables.filter(({ variableCollectionId, resolvedType }) => {
      const named = [variableCollectionId, collectionOf.get(variableCollectionId)?.name].includes(input.collection);
      return (input.collection === undefined || named) && (input.type === undefined || resolvedType === input.type);
    });
    const items = found.map(variable => showVariable(variable, collectionOf.get(variable.variableCollectionId), names));
    return showStructured({ collections: collections.map(showCollection), ...takePage(items, input) } satisfies z.input<
      typeof output
    >);
  },
});

/** Figma says of other plans only that the scope or the permission is missing. */
function explainPlan(error: unknown): never {
  if (error instanceof FigmaRefusal && error.status === 403 && !/token/i.test(error.message)) {
    throw new CannotDo(
      `Figma does not give the variables of this file (403: ${error.message}). They are only for files of Enterprise plans, for full members of the organization, with a token of the scope file_variables:read. Without them, get_figma_data shows a design's colors, fonts and lengths as they are.`,
    );
  }
  throw error;
}

const valuesOf = <T>(table: Readonly<Record<string, T>> | undefined): readonly T[] =>
  listOf(isNode(table) ? Object.values(table as Readonly<Record<string, T>>) : []);

function showCollection({ id, name, modes, defaultModeId, variableIds }: LocalVariableCollection) {
  return {
    id: textOf(id),
    name: textOf(name),
    modes: listOf(modes).map(mode => textOf(mode.name)),
    defaultMode: listOf(modes).find(({ modeId }) => modeId === defaultModeId)?.name ?? null,
    count: Array.isArray(variableIds) ? variableIds.length : 0,
  };
}

function showVariable(
  { id, name, resolvedType, valuesByMode, description, codeSyntax, remote }: LocalVariable,
  collection: LocalVariableCollection | undefined,
  names: ReadonlyMap<string, string>,
) {
  const modes = new Map(listOf(collection?.modes).map(mode => [mode.modeId, mode.name]));
  const values = Object.entries(valuesByMode ?? {}).map(([mode, value]) => [
    modes.get(mode) ?? mode,
    showValue(value, names),
  ]);
  return {
    id: textOf(id),
    name: textOf(name),
    type: textOf(resolvedType),
    collection: textOf(collection?.name),
    values: Object.fromEntries(values) as Record<string, string | number | boolean>,
    description: cut(textOf(description), maxTextLength),
    codeSyntax: Object.fromEntries(
      Object.entries(codeSyntax ?? {}).map(([platform, code]) => [platform, cut(textOf(code), maxTextLength)]),
    ),
    remote: remote ?? false,
  };
}

function showValue(value: VariableValue | undefined, names: ReadonlyMap<string, string>): string | number | boolean {
  if (typeof value === 'string') return cut(value, maxTextLength);
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  const alias = aliasOf(value);
  if (alias !== null) return `→ ${names.get(alias) ?? alias}`;
  if (!isNode(value)) return '';
  if (!('color' in value)) return describeColor(value as Parameters<typeof describeColor>[0]);
  // A color with an opacity of its own, each perhaps from a variable.
  const { color, opacity } = value as { color: VariableValue; opacity: VariableValue };
  return `${String(showValue(color, names))} opacity=${String(showValue(opacity, names))}`;
}

export const variableTools: readonly FigmaTool[] = [getVariables];
