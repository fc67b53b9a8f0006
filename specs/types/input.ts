import { z } from 'zod';
import { argument } from './values.ts';

/**
 * The name of an input. It becomes a field of spec.config or of an api key, so nothing that every object has
 * anyway.
 */
export const inputName = z
  .string()
  .max(128, { abort: true })
  .regex(
    /^[A-Za-z_][A-Za-z0-9_.-]*$/,
    'must be letters, digits, "_", "." and "-", beginning with a letter or "_", such as "apiUrl"',
  )
  .refine(name => !(name in {}), 'is reserved; choose another name');

const single = z.union([argument, z.number(), z.boolean()]);

/** One thing that an instance of the type is asked for: a field of spec.config, or of its api key. */
export const typeInput = z
  .strictObject({
    description: z.string().max(2_000).default(''),
    required: z.boolean().default(false),
    secret: z.boolean().default(false).describe('A value of the api key; only in env, never in args'),
    format: z.enum(['string', 'number', 'boolean', 'filepath']).default('string'),
    repeated: z.boolean().default(false).describe('A list of values; the argument that has it comes once for each'),
    choices: z
      .array(z.union([argument, z.number()]))
      .min(1)
      .max(256)
      .optional()
      .describe('The only values there are'),
    minimum: z.number().optional(),
    maximum: z.number().optional(),
    default: z.union([single, z.array(single)]).optional(),
    placeholder: z.string().max(2_000).optional().describe('An example for people'),
  })
  .superRefine((input, context) => {
    const refuse = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    if (input.secret) {
      if (input.default !== undefined) refuse('default', 'a secret has no default: a type can be read by many');
      if (input.choices !== undefined) refuse('choices', 'a secret has no choices: a type can be read by many');
      if (input.repeated) refuse('repeated', 'a secret is one value');
      if (input.format === 'number' || input.format === 'boolean') refuse('format', 'a secret is a "string"');
      return;
    }
    if (input.format !== 'number' || input.choices !== undefined) {
      for (const bound of ['minimum', 'maximum'] as const) {
        if (input[bound] !== undefined) refuse(bound, 'is for the format number without choices');
      }
    } else if (input.minimum !== undefined && input.maximum !== undefined && input.minimum > input.maximum) {
      refuse('maximum', 'must be at least minimum');
    }
    const ofKind = input.choices?.every(choice => typeof choice === (input.format === 'number' ? 'number' : 'string'));
    if (input.format === 'boolean' && input.choices !== undefined) refuse('choices', 'a boolean is true or false');
    else if (ofKind === false) refuse('choices', `must be of the format ${input.format}`);
    else if (input.default !== undefined && !inputSchema(input).safeParse(input.default).success) {
      const list = input.repeated ? 'a list of values, each' : 'a value';
      refuse('default', `must be ${list} of the format ${input.format} and within choices and bounds`);
    }
  });
export type TypeInput = z.infer<typeof typeInput>;

/** What a value for the input has to be, without its default. `leads`: a word of the arguments begins with it. */
export function inputSchema(input: TypeInput, leads = false): z.ZodType {
  const item = itemSchema(input, leads);
  if (!input.repeated) return item;
  const list = z.array(item).max(64);
  return input.required ? list.min(1) : list;
}

// A program could take it for an option.
const noOption = /^(?!-)/;

function itemSchema(input: TypeInput, leads: boolean): z.ZodType {
  const { choices, format, required, minimum = -Infinity, maximum = Infinity } = input;
  // Who made the type chose them, options too.
  if (choices !== undefined) return z.literal(choices);
  switch (format) {
    case 'number':
      return bounded(minimum, maximum);
    case 'boolean':
      return z.boolean();
    case 'filepath':
      return argument.min(1).max(4096).regex(noOption, 'must not begin with "-"; write ./ before it');
    case 'string': {
      // What must be given and is empty was forgotten.
      const text = required ? argument.min(1) : argument;
      return leads ? text.regex(noOption, 'must not begin with "-": the program could take it for an option') : text;
    }
    default:
      return format satisfies never;
  }
}

function bounded(minimum: number, maximum: number): z.ZodType {
  const above = minimum === -Infinity ? z.number() : z.number().min(minimum);
  return maximum === Infinity ? above : above.max(maximum);
}
