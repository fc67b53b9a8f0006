import { z } from 'zod';
import type { ServerType } from '../type.ts';
import { inputSchema } from './input.ts';
import type { TypeInput } from './input.ts';
import { leadingInputs } from './manifest.ts';
import type { TypeManifest } from './manifest.ts';
import { fillProgram } from './program.ts';
import type { Values } from './program.ts';
import { OversizeError } from './program-size.ts';
import { secretValue } from './values.ts';

/** A registered type as every other one: its inputs as the schemas of spec.config and of the api key. */
export function registeredType(name: string, manifest: TypeManifest): ServerType {
  const inputs = Object.entries(manifest.inputs);
  const open = inputs.filter(([, input]) => !input.secret);
  const secret = inputs.filter(([, input]) => input.secret);
  const leading = leadingInputs(manifest);
  const needed = secret.some(([, input]) => input.required);
  const keyValues = z.strictObject(
    Object.fromEntries(secret.map(([field, input]) => [field, described(input, keySchema(input))])),
  ) as z.ZodType<Record<string, string>>;
  return {
    name,
    title: manifest.title ?? name,
    description: manifest.description,
    config: z
      .strictObject(
        Object.fromEntries(
          open.map(([field, input]) => [field, described(input, configSchema(input, leading.has(field)))]),
        ),
      )
      .superRefine((config, context) => {
        const fault = findOversize(manifest, config);
        if (fault !== null) context.addIssue({ code: 'custom', message: fault });
      }),
    keyValues:
      needed || secret.length === 0
        ? keyValues
        : keyValues.refine(values => Object.keys(values).length > 0, 'give at least one value'),
    key: keyNeed(secret.map(([, input]) => input.required)),
    manifest,
  };
}

/** Whether a type with these secret inputs needs an api key, or takes one at all; each = whether it is required. */
export function keyNeed(secrets: readonly boolean[]): ServerType['key'] {
  if (secrets.length === 0) return 'none';
  return secrets.includes(true) ? 'required' : 'optional';
}

function findOversize(manifest: TypeManifest, config: Values): string | null {
  try {
    fillProgram(manifest, config);
    return null;
  } catch (error) {
    if (error instanceof OversizeError) return error.message;
    throw error;
  }
}

function configSchema(input: TypeInput, leads: boolean): z.ZodType {
  const schema = inputSchema(input, leads);
  if (input.default !== undefined) return schema.default(input.default);
  return input.required ? schema : schema.optional();
}

function keySchema(input: TypeInput): z.ZodType {
  return input.required ? secretValue : secretValue.optional();
}

/** With what helps people to fill in a form. */
function described({ description, format, placeholder }: TypeInput, schema: z.ZodType): z.ZodType {
  const isPlain = description === '' && placeholder === undefined && format !== 'filepath';
  if (isPlain) return schema;
  return schema.meta({
    ...(description === '' ? {} : { description }),
    ...(placeholder === undefined ? {} : { examples: [placeholder] }),
    ...(format === 'filepath' ? { format } : {}),
  });
}

/** Which values an api key has to have and has not. */
export function missingSecrets(manifest: TypeManifest, fields: readonly string[]): string[] {
  return Object.entries(manifest.inputs)
    .filter(([name, input]) => input.secret && input.required && !fields.includes(name))
    .map(([name]) => name);
}

/** The same for two manifests of which like processes would be made: only words for people differ. */
export function programText({
  package: name,
  version,
  command,
  args,
  env,
  cwd,
  isolation,
  inputs,
}: TypeManifest): string {
  const rules = Object.entries(inputs).map(([input, rule]) => [
    input,
    JSON.stringify({ ...rule, description: '', placeholder: '' }),
  ]);
  return JSON.stringify([
    [name, version, command, args, cwd, isolation],
    Object.entries(env).toSorted(byName),
    rules.toSorted(byName),
  ]);
}

function byName([a = '']: readonly string[], [b = '']: readonly string[]): number {
  return a < b ? -1 : 1;
}
