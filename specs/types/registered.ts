import { z } from 'zod';
import type { ServerType } from '../type.ts';
import { inputSchema } from './input.ts';
import type { TypeInput } from './input.ts';
import { wordsOf } from './manifest.ts';
import type { TypeArgument, TypeManifest } from './manifest.ts';
import type { StdioConfig } from './stdio.ts';
import { fillTemplate, inputsOf } from './template.ts';
import { secretValue } from './values.ts';

type Values = Readonly<Record<string, unknown>>;

/** A registered type as every other one: its inputs as the schemas of spec.config and of the api key. */
export function registeredType(name: string, manifest: TypeManifest): ServerType {
  const inputs = Object.entries(manifest.inputs);
  const open = inputs.filter(([, input]) => !input.secret);
  const secret = inputs.filter(([, input]) => input.secret);
  const needed = secret.some(([, input]) => input.required);
  const keyValues = z.strictObject(
    Object.fromEntries(secret.map(([field, input]) => [field, described(input, keySchema(input))])),
  ) as z.ZodType<Record<string, string>>;
  return {
    name,
    title: manifest.title,
    description: manifest.description,
    config: z.strictObject(
      Object.fromEntries(open.map(([field, input]) => [field, described(input, configSchema(input))])),
    ),
    keyValues:
      needed || secret.length === 0
        ? keyValues
        : keyValues.refine(values => Object.keys(values).length > 0, 'give at least one value'),
    key: secret.length === 0 ? 'none' : needed ? 'required' : 'optional',
    manifest,
  };
}

function configSchema(input: TypeInput): z.ZodType {
  const schema = inputSchema(input);
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

/** What a stdio instance would say to run this; `config` was checked by the type. Without what holds a secret. */
export function fillProgram(manifest: TypeManifest, config: Values): StdioConfig {
  const open = Object.entries(manifest.env).filter(([, text]) => !holdsSecret(manifest, text));
  return {
    package: manifest.package,
    version: manifest.version,
    command: manifest.command,
    args: manifest.args.flatMap(arg => fillArgument(manifest, arg, config)),
    env: fillEnvironment(open, config),
    cwd: manifest.cwd,
    isolation: manifest.isolation,
  };
}

/** The environment variables that hold secrets, and nothing of the api key that the manifest does not name. */
export function fillSecrets(manifest: TypeManifest, config: Values, keyValues: Values): Record<string, string> {
  const secret = Object.entries(manifest.env).filter(([, text]) => holdsSecret(manifest, text));
  const inputs = Object.entries(manifest.inputs).map(
    ([name, input]) => [name, ownValue(input.secret ? keyValues : config, name)] as const,
  );
  return fillEnvironment(secret, Object.fromEntries(inputs));
}

/** Which values an api key has to have and has not. */
export function missingSecrets(manifest: TypeManifest, fields: readonly string[]): string[] {
  return Object.entries(manifest.inputs)
    .filter(([name, input]) => input.secret && input.required && !fields.includes(name))
    .map(([name]) => name);
}

/** Whether a process made of the one would be like one made of the other: only words for people differ. */
export function isSameProgram(a: TypeManifest, b: TypeManifest): boolean {
  return programText(a) === programText(b);
}

function programText({ package: name, version, command, args, env, cwd, isolation, inputs }: TypeManifest): string {
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

function holdsSecret(manifest: TypeManifest, text: string): boolean {
  return inputsOf(text).some(name => manifest.inputs[name]?.secret);
}

function fillEnvironment(env: readonly (readonly [string, string])[], values: Values): Record<string, string> {
  const filled = env.map(([name, text]) => [name, fillTemplate(text, input => textOf(ownValue(values, input)))]);
  return Object.fromEntries(filled.filter(([, value]) => value !== null)) as Record<string, string>;
}

function fillArgument(manifest: TypeManifest, arg: TypeArgument, config: Values): string[] {
  if (typeof arg === 'object' && 'if' in arg && ownValue(config, arg.if) !== true) return [];
  const words = wordsOf(arg);
  const repeated = words.flatMap(inputsOf).find(name => manifest.inputs[name]?.repeated);
  if (repeated === undefined) return fillWords(words, name => textOf(ownValue(config, name)));
  const list = ownValue(config, repeated);
  if (!Array.isArray(list)) return [];
  return list.flatMap(item => fillWords(words, name => textOf(name === repeated ? item : ownValue(config, name))));
}

/** All of them, or none when one has no value. */
function fillWords(words: readonly string[], valueOf: (name: string) => string | null): string[] {
  const filled = words.map(word => fillTemplate(word, valueOf));
  return filled.includes(null) ? [] : (filled as string[]);
}

function ownValue(values: Values, name: string): unknown {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
}
