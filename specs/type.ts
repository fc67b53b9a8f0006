import { z } from 'zod';

/**
 * A server type: what its instances take. `config` checks spec.config; `keyValues` checks the values
 * of its api key; `key` says whether an instance needs one.
 */
export interface ServerType {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly config: z.ZodType<Record<string, unknown>>;
  readonly keyValues: z.ZodType<Record<string, string>>;
  readonly key: 'required' | 'optional';
}

/** The token travels with every request: in clear only inside this machine. */
const tokenUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .max(2048, 'must have at most 2048 characters')
  .refine(text => !isClear(text), 'must be an https URL; http only for localhost, 127.0.0.1 and [::1]');

function isClear(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'http:' && !['localhost', '127.0.0.1', '[::1]'].includes(hostname);
}

const secretValue = z.string().min(1).max(65_536);

export const githubToolsets = ['context', 'repos', 'issues', 'pull_requests'] as const;

export const githubConfig = z.strictObject({
  readOnly: z.boolean().default(false).describe('Offer only tools that change nothing'),
  toolsets: z
    .array(z.enum(githubToolsets))
    .min(1)
    .max(64)
    .default([...githubToolsets])
    .describe('Groups of tools to offer'),
  baseUrl: tokenUrl.optional().describe('API base URL of a GitHub Enterprise server'),
});

const environmentName = z
  .string()
  .max(256, { abort: true })
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable')
  .refine(name => !/^(MINIMCP_|LD_|NODE_OPTIONS$|PATH$|HOME$)/.test(name), 'is reserved');
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
    isolation: z.literal('shared').default('shared').describe('One child serves every client'),
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

const types: readonly ServerType[] = [
  {
    name: 'github',
    title: 'GitHub',
    description: 'Repositories, issues and pull requests of GitHub or GitHub Enterprise.',
    config: githubConfig,
    keyValues: z.strictObject({ token: secretValue.describe('A personal access token') }),
    key: 'required',
  },
  {
    name: 'stdio',
    title: 'Any stdio server',
    description: 'A pinned package of the npm registry or a command, served over Streamable HTTP.',
    config: stdioConfig,
    keyValues: z
      .record(environmentName, secretValue)
      .refine(values => Object.keys(values).length > 0, 'give at least one value')
      .refine(values => Object.keys(values).length <= 64, 'give at most 64 values'),
    key: 'optional',
  },
];

/** The types that come with MiniMCP, by name. A Map, so that no name reaches Object.prototype. */
export const builtinTypes: ReadonlyMap<string, ServerType> = new Map(types.map(type => [type.name, type]));
