import { z } from 'zod';
import { argument, directory, environmentName, isolation, packageName, packageVersion, secretValue } from './values.ts';

export const stdioConfig = z
  .strictObject({
    package: packageName.optional(),
    version: packageVersion.optional(),
    command: z.array(argument).min(1).max(256).optional().describe('An argv array; "node" is the running Node'),
    args: z.array(argument).max(256).default([]).describe('Appended to the command'),
    env: z
      .record(environmentName, argument)
      .refine(env => Object.keys(env).length <= 256, 'must have at most 256 variables')
      .default({})
      .describe('Not for secrets: use an api key'),
    cwd: directory.optional(),
    isolation,
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
