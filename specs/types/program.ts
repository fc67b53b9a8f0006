import { wordsOf } from './manifest.ts';
import type { TypeArgument, TypeManifest } from './manifest.ts';
import { createGauge } from './program-size.ts';
import type { Gauge } from './program-size.ts';
import type { StdioConfig } from './stdio.ts';
import { fillTemplate, inputsOf, parseTemplate } from './template.ts';
import type { Piece } from './template.ts';
import { longestArgument, longestSecret } from './values.ts';

export type Values = Readonly<Record<string, unknown>>;

/**
 * What a stdio instance would say to run this; `config` was checked by the type. Without what holds a secret.
 * Throws OversizeError, which the type's check of `config` has found before.
 */
export function fillProgram(manifest: TypeManifest, config: Values, gauge: Gauge = createGauge()): StdioConfig {
  const open = Object.entries(manifest.env).filter(([, text]) => !holdsSecret(manifest, text));
  for (const word of manifest.command ?? []) gauge('command', word);
  return {
    package: manifest.package,
    version: manifest.version,
    command: manifest.command,
    args: manifest.args.flatMap((arg, index) =>
      fillArgument(manifest, arg, config, word => gauge(`args[${index}]`, word)),
    ),
    env: fillEnvironment(open, config, longestArgument, gauge),
    cwd: manifest.cwd,
    isolation: manifest.isolation,
  };
}

/**
 * The environment variables that hold secrets, and nothing of the api key that the manifest does not name. Throws
 * OversizeError when they are too much, alone or beside the rest of the program.
 */
export function fillSecrets(manifest: TypeManifest, config: Values, keyValues: Values): Record<string, string> {
  const secret = Object.entries(manifest.env).filter(([, text]) => holdsSecret(manifest, text));
  const inputs = Object.entries(manifest.inputs).map(
    ([name, input]) => [name, ownValue(input.secret ? keyValues : config, name)] as const,
  );
  const gauge = createGauge();
  fillProgram(manifest, config, gauge);
  return fillEnvironment(secret, Object.fromEntries(inputs), longestSecret, gauge);
}

function holdsSecret(manifest: TypeManifest, text: string): boolean {
  return inputsOf(text).some(name => manifest.inputs[name]?.secret);
}

function fillEnvironment(
  env: readonly (readonly [string, string])[],
  values: Values,
  longest: number,
  gauge: Gauge,
): Record<string, string> {
  const filled: [name: string, value: string][] = [];
  for (const [name, text] of env) {
    const value = fillTemplate(piecesOf(text), input => textOf(ownValue(values, input)), longest);
    if (value === null) continue;
    gauge('env', name);
    gauge(`env.${name}`, value, longest);
    filled.push([name, value]);
  }
  return Object.fromEntries(filled);
}

/** `take` sees the words of one item of a list before those of the next are made. */
function fillArgument(
  manifest: TypeManifest,
  arg: TypeArgument,
  config: Values,
  take: (word: string) => void,
): string[] {
  if (typeof arg === 'object' && 'if' in arg && ownValue(config, arg.if) !== true) return [];
  const words = wordsOf(arg);
  const repeated = words.flatMap(inputsOf).find(name => manifest.inputs[name]?.repeated);
  const templates = words.map(piecesOf);
  if (repeated === undefined) return fillWords(templates, name => textOf(ownValue(config, name)), take);
  const list = ownValue(config, repeated);
  if (!Array.isArray(list)) return [];
  return list.flatMap(item =>
    fillWords(templates, name => textOf(name === repeated ? item : ownValue(config, name)), take),
  );
}

/** All of them, or none when one has no value. */
function fillWords(
  templates: readonly (readonly Piece[])[],
  valueOf: (name: string) => string | null,
  take: (word: string) => void,
): string[] {
  const filled = templates.map(template => fillTemplate(template, valueOf, longestArgument));
  if (filled.includes(null)) return [];
  for (const word of filled) take(word!);
  return filled as string[];
}

/** Every template of a manifest was checked. */
function piecesOf(text: string): Piece[] {
  return parseTemplate(text) ?? [];
}

function ownValue(values: Values, name: string): unknown {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
}
