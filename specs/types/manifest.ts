import { z } from 'zod';
import { inputName, inputSchema, typeInput } from './input.ts';
import type { TypeInput } from './input.ts';
import { inputsOf, parseTemplate } from './template.ts';
import { typeVariable } from './type-variable.ts';
import { argument, directory, isolation, packageName, packageVersion } from './values.ts';

const template = argument.refine(
  text => parseTemplate(text) !== null,
  'has a single brace: {name} is an input, and {{ and }} are braces',
);

const words = z.array(template).min(1).max(64);

/** One argument; several that come together or not at all; or such that come when a boolean input is true. */
const typeArgument = z.union([
  template,
  words,
  z.strictObject({ if: z.string().describe('A boolean input'), args: words }),
]);
export type TypeArgument = z.infer<typeof typeArgument>;

/**
 * A server type as users register it: the program, and what its instances are asked for. `{name}` in args and env
 * is the value of an input; what has an input without a value is left out. There is never a shell.
 */
export const typeManifest = z
  .strictObject({
    title: z.string().min(1).max(100).optional().describe("Default: the type's name"),
    description: z.string().max(2_000).default(''),
    package: packageName.optional().describe('Of the public npm registry; its one program is run'),
    version: packageVersion.optional(),
    command: z
      .array(argument)
      .min(1)
      .max(256)
      .optional()
      .describe('Instead of package: an argv array without inputs; "node" is the running Node'),
    args: z.array(typeArgument).max(256).default([]).describe('Appended to the program'),
    env: z
      .record(typeVariable, template)
      .refine(env => Object.keys(env).length <= 256, 'must have at most 256 variables')
      .default({}),
    cwd: directory.optional().describe("Default: the instance's own directory"),
    isolation,
    inputs: z
      .record(inputName, typeInput)
      .refine(inputs => Object.keys(inputs).length <= 64, 'must be at most 64 inputs')
      .default({})
      .describe('Fields of spec.config; secret ones are fields of the api key'),
  })
  .superRefine((manifest, context) => {
    const refuse = (path: PropertyKey[], message: string): void =>
      context.addIssue({ code: 'custom', path, message, input: undefined });
    if ((manifest.command === undefined) === (manifest.package === undefined)) {
      refuse([], 'give either command, or package and version');
    } else if ((manifest.package === undefined) !== (manifest.version === undefined)) {
      refuse(['version'], 'package and version go together; the version must be exact');
    } else if (manifest.command?.[0] === '') refuse(['command', 0], 'must name a program');
    checkUses(manifest, refuse);
  });
export type TypeManifest = z.infer<typeof typeManifest>;

type Uses = Pick<TypeManifest, 'args' | 'env' | 'inputs'>;

/** Every input is used, everything that is used is an input, and no secret is where others can read it. */
function checkUses({ args, env, inputs }: Uses, refuse: (path: PropertyKey[], message: string) => void): void {
  const used = new Set<string>();
  const lookUp = (name: string, path: PropertyKey[]) => {
    used.add(name);
    if (Object.hasOwn(inputs, name)) return inputs[name]!;
    refuse(path, `there is no input "${name}"; declare it in inputs, or write {{ and }} for braces`);
    return null;
  };
  for (const [index, arg] of args.entries()) {
    const path = ['args', index];
    if (typeof arg === 'object' && 'if' in arg) {
      const condition = lookUp(arg.if, [...path, 'if']);
      if (condition !== null && (condition.format !== 'boolean' || condition.repeated || condition.secret)) {
        refuse([...path, 'if'], 'must name an input of the format boolean');
      }
    }
    const found = new Set(wordsOf(arg).flatMap(inputsOf));
    const declared = [...found].flatMap(name => lookUp(name, path) ?? []);
    if (declared.some(input => input.secret)) {
      refuse(path, 'must not have a secret input: other processes can read arguments; give it to the program in env');
    }
    if (declared.filter(input => input.repeated).length > 1) refuse(path, 'must have at most one repeated input');
  }
  for (const [name, text] of Object.entries(env)) {
    const declared = inputsOf(text).flatMap(input => lookUp(input, ['env', name]) ?? []);
    if (declared.some(input => input.repeated)) refuse(['env', name], 'must not have a repeated input');
  }
  for (const name of leadingInputs({ args, inputs })) {
    const input = Object.hasOwn(inputs, name) ? inputs[name] : undefined;
    if (input?.default === undefined || !inputSchema(input).safeParse(input.default).success) continue;
    if (inputSchema(input, true).safeParse(input.default).success) continue;
    refuse(['inputs', name, 'default'], 'must not begin with "-", as it begins an argument; choices may');
  }
  for (const name of Object.keys(inputs)) {
    if (!used.has(name)) refuse(['inputs', name], `is used in neither args nor env; write {${name}} where it belongs`);
  }
}

/**
 * The inputs with which a word on the command line begins, so that its value could be taken for an option. After an
 * argument "--" there are no options.
 */
export function leadingInputs({ args, inputs }: Pick<TypeManifest, 'args' | 'inputs'>): Set<string> {
  const leading = new Set<string>();
  for (const arg of args) {
    if (arg === '--') break;
    for (const word of wordsOf(arg)) {
      if (word === '--') break;
      for (const piece of parseTemplate(word) ?? []) {
        if (piece.kind === 'text') break;
        leading.add(piece.name);
        const input = Object.hasOwn(inputs, piece.name) ? inputs[piece.name] : undefined;
        if (input === undefined || !mayBeEmpty(input)) break;
      }
    }
  }
  return leading;
}

function mayBeEmpty({ choices, format, required }: TypeInput): boolean {
  return choices === undefined ? format === 'string' && !required : choices.includes('');
}

/** The words that an argument may put on the command line. */
export function wordsOf(arg: TypeArgument): readonly string[] {
  if (typeof arg === 'string') return [arg];
  return 'if' in arg ? arg.args : arg;
}
