import { z } from 'zod';
import { environmentName, secretValue } from './values.ts';

const noNul = /^[^\0]*$/;
const argument = z.string().max(32_768, { abort: true }).regex(noNul, 'must not contain NUL');

export const stdioConfig = z
  .strictObject({
    package: z
      .string()
      .max(214, { abort: true })
      .regex(
        /^(@[a-z0-9~][a-z0-9._~-]*\/)?[a-z0-9~][a-z0-9._~-]*$/,
        'must be the name of a package of the npm registry',
      )
      .optional(),
    version: z
      .string()
      .max(128, { abort: true })
      .regex(
        /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/,
        'must be an exact version such as "1.2.3", no range',
      )
      .optional(),
    command: z.array(argument).min(1).max(256).optional().describe('An argv array; "node" is the running Node'),
    args: z.array(argument).max(256).default([]).describe('Appended to the command'),
    env: z
      .record(environmentName, argument)
      .refine(env => Object.keys(env).length <= 256, 'must have at most 256 variables')
      .default({})
      .describe('Not for secrets: use an api key'),
    cwd: z.string().max(4096, { abort: true }).startsWith('/', 'must be an absolute path').regex(noNul).optional(),
    isolation: z
      .enum(['shared', 'session'])
      .default('shared')
      .describe('shared: one child serves every client; session: a child of its own for each legacy session'),
  })
  .refine(config => (config.command === undefined) !== (config.package === undefined), {
    message: 'give either command, or package and version',
  })
  .refine(config => (config.package === undefined) === (config.version === undefined), {
    path: ['version'],
    message: 'package and version go together; the version must be exact',
  })
  .refine(config => config.command === undefined || config.command[0] !== '', {
    path: ['command', 0],
    message: 'must name a program',
  });
export type StdioConfig = z.infer<typeof stdioConfig>;

export const stdioKey = z
  .record(environmentName, secretValue)
  .refine(values => Object.keys(values).length > 0, 'give at least one value')
  .refine(values => Object.keys(values).length <= 64, 'give at most 64 values');
