import { z } from 'zod';
import { argument } from './values.ts';

const text = z.string().max(10_000);

/** `Input` of the registry's schema: defaults and choices are text whatever the format. */
const inputFields = {
  description: text.optional(),
  isRequired: z.boolean().default(false),
  isSecret: z.boolean().default(false),
  format: z.enum(['string', 'number', 'boolean', 'filepath']).optional(),
  default: argument.optional(),
  placeholder: text.optional(),
  choices: z.array(argument).max(256).optional(),
  value: argument.optional(),
};

const serverInput = z.looseObject(inputFields);
export type ServerInput = z.infer<typeof serverInput>;

const withVariables = { ...inputFields, variables: z.record(z.string(), serverInput).default({}) };

export const serverVariable = z.looseObject({ name: z.string(), ...withVariables });
export type ServerVariable = z.infer<typeof serverVariable>;

export const serverArgument = z.discriminatedUnion('type', [
  z.looseObject({
    type: z.literal('positional'),
    valueHint: text.optional(),
    isRepeated: z.boolean().default(false),
    ...withVariables,
  }),
  z.looseObject({
    type: z.literal('named'),
    name: argument.min(1),
    isRepeated: z.boolean().default(false),
    ...withVariables,
  }),
]);
export type ServerArgument = z.infer<typeof serverArgument>;
