/** A manifest with one input of every kind. */
export const weather = {
  title: 'Weather',
  description: 'Forecasts',
  package: '@acme/weather-mcp',
  version: '1.2.3',
  args: ['--stdio', ['--units', '{units}'], { if: 'verbose', args: ['--verbose'] }, ['--dir', '{dirs}']],
  env: { WEATHER_TOKEN: '{token}', WEATHER_DB: 'db://{user}:{password}@db/{{x}}', WEATHER_DAYS: '{days}' },
  inputs: {
    token: { description: 'From your account', required: true, secret: true },
    password: { secret: true },
    user: { default: 'me' },
    units: { choices: ['metric', 'imperial'], default: 'metric' },
    days: { format: 'number', required: true },
    verbose: { format: 'boolean', default: false },
    dirs: { format: 'filepath', repeated: true, placeholder: '/srv/maps' },
  },
};

export const schema2025 = 'https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json';

/** As the author of Figma-Context-MCP publishes it, but for the words. */
export const figmaServerJson = {
  $schema: schema2025,
  name: 'io.github.GLips/Figma-Context-MCP',
  description: 'Figma data for coding agents',
  repository: { url: 'https://github.com/GLips/Figma-Context-MCP', source: 'github' },
  version: '0.13.2',
  packages: [
    {
      registryType: 'npm',
      identifier: 'figma-developer-mcp',
      version: '0.13.2',
      transport: { type: 'stdio' },
      packageArguments: [{ type: 'positional', value: '--stdio' }],
      environmentVariables: [
        {
          name: 'FIGMA_API_KEY',
          description: 'Your personal access token',
          isRequired: true,
          format: 'string',
          isSecret: true,
        },
      ],
    },
  ],
};

/** As GitHub publishes it, but for the words: an image, and what docker is to be told. */
export const githubServerJson = {
  $schema: 'https://static.modelcontextprotocol.io/schemas/2025-10-17/server.schema.json',
  name: 'io.github.github/github-mcp-server',
  description: 'GitHub for assistants',
  title: 'GitHub MCP Server',
  status: 'active',
  version: '1.0.0',
  packages: [
    {
      registryType: 'oci',
      identifier: 'ghcr.io/github/github-mcp-server:1.0.0',
      transport: { type: 'stdio' },
      runtimeArguments: [
        { type: 'positional', value: 'run', isRequired: true },
        { type: 'named', name: '-i', value: 'true', format: 'boolean', isRequired: true },
        {
          type: 'named',
          name: '-e',
          value: 'GITHUB_PERSONAL_ACCESS_TOKEN={token}',
          variables: { token: { isRequired: true, isSecret: true, format: 'string' } },
        },
      ],
    },
  ],
};
