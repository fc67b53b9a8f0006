import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { readAllRows } from '../support/rows.ts';
import { figmaServerJson, githubServerJson, schema2025, weather } from '../support/types.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(async () => {
  await api.close();
});

const minimal = { title: 'T', command: ['cat'] };
const secret = { secret: true };
/** With an input that is used. */
const asking = (input: object) => ({ ...minimal, env: { A: '{x}' }, inputs: { x: input } });

/** Body, the pointer that is complained about, and a piece of what the complaint says is accepted. */
const manifests: [title: string, body: unknown, pointer: string, accepted: string][] = [
  ['nothing', {}, '', 'either command, or package and version'],
  ['a list', [], '', 'an object'],
  ['a text', '"x"', '', 'an object'],
  ['an unknown field', { ...minimal, colour: 1 }, '/colour', 'known are title, description'],
  ['no program', { title: 'T' }, '', 'either command, or package and version'],
  ['two programs', { ...minimal, package: 'a', version: '1.0.0' }, '', 'either command, or package and version'],
  ['no version', { title: 'T', package: 'a' }, '/version', 'exact'],
  ['a range', { title: 'T', package: 'a', version: '^1.0.0' }, '/version', 'an exact version'],
  ['a tag', { title: 'T', package: 'a', version: 'latest' }, '/version', 'an exact version'],
  [
    'a package from git',
    { title: 'T', package: 'git+https://example.com/a', version: '1.0.0' },
    '/package',
    'npm registry',
  ],
  ['a package from a folder', { title: 'T', package: '../a', version: '1.0.0' }, '/package', 'npm registry'],
  ['an empty command', { title: 'T', command: [] }, '/command', 'at least 1'],
  ['a command without a program', { title: 'T', command: [''] }, '/command/0', 'name a program'],
  ['a command line', { title: 'T', command: 'cat x' }, '/command', 'an array'],
  ['a relative directory', { ...minimal, cwd: 'srv' }, '/cwd', 'an absolute path'],
  ['a reserved variable', { ...minimal, env: { NODE_OPTIONS: '--inspect' } }, '/env/NODE_OPTIONS', 'reserved'],
  ['a variable with a dash', { ...minimal, env: { 'a-b': '' } }, '/env/a-b', 'environment variable'],
  ['an argument of another kind', { ...minimal, args: [5] }, '/args/0', 'a string'],
  ['a condition without arguments', { ...minimal, args: [{ if: 'x' }] }, '/args/0/args', 'an array'],
  ['a list with a number', { ...minimal, args: [['a', 1]] }, '/args/0/1', 'a string'],
  ['bounds of a text', asking({ minimum: 1 }), '/inputs/x/minimum', 'format number'],
  [
    'bounds the wrong way round',
    asking({ format: 'number', minimum: 2, maximum: 1 }),
    '/inputs/x/maximum',
    'at least minimum',
  ],
  ['a default out of bounds', asking({ format: 'number', maximum: 1, default: 2 }), '/inputs/x/default', 'bounds'],
  ['a default that is an option', asking({ format: 'filepath', default: '-x' }), '/inputs/x/default', 'filepath'],
  ['an unknown input', { ...minimal, args: ['{x}'] }, '/args/0', 'no input "x"'],
  ['an unknown input in env', { ...minimal, env: { A: 'b{x}' } }, '/env/A', 'no input "x"'],
  ['an input of every object', { ...minimal, args: ['{constructor}'] }, '/args/0', 'no input "constructor"'],
  ['a single brace', { ...minimal, args: ['{'] }, '/args/0', '{{ and }} are braces'],
  ['an input that nothing uses', { ...minimal, inputs: { x: {} } }, '/inputs/x', 'write {x}'],
  ['a secret argument', { ...minimal, args: ['a', ['--t', '{x}']], inputs: { x: secret } }, '/args/1', 'in env'],
  ['a secret within an argument', { ...minimal, args: ['t={x}'], inputs: { x: secret } }, '/args/0', 'in env'],
  [
    'a secret condition',
    { ...minimal, args: [{ if: 'x', args: ['a'] }], inputs: { x: secret } },
    '/args/0/if',
    'boolean',
  ],
  ['a condition of text', { ...minimal, args: [{ if: 'x', args: ['a'] }], inputs: { x: {} } }, '/args/0/if', 'boolean'],
  ['a repeated variable', { ...minimal, env: { A: '{x}' }, inputs: { x: { repeated: true } } }, '/env/A', 'repeated'],
  [
    'two repeated inputs in one argument',
    { ...minimal, args: ['{x}{y}'], inputs: { x: { repeated: true }, y: { repeated: true } } },
    '/args/0',
    'at most one repeated',
  ],
  ['an input named constructor', { ...minimal, inputs: { constructor: {} } }, '/inputs/constructor', 'reserved'],
  ['an input with a space', { ...minimal, inputs: { 'a b': {} } }, '/inputs/a b', 'such as "apiUrl"'],
  ['an unknown field of an input', asking({ isSecret: true }), '/inputs/x/isSecret', 'secret'],
  ['an unknown format', asking({ format: 'url' }), '/inputs/x/format', '"filepath"'],
  ['a default for a secret', asking({ secret: true, default: 'hunter2!' }), '/inputs/x/default', 'no default'],
  ['a secret number', asking({ secret: true, format: 'number' }), '/inputs/x/format', '"string"'],
  ['secret choices', asking({ secret: true, choices: ['a'] }), '/inputs/x/choices', 'no choices'],
  ['a default of another format', asking({ format: 'number', default: '1' }), '/inputs/x/default', 'number'],
  ['a default that is no choice', asking({ choices: ['a'], default: 'b' }), '/inputs/x/default', 'within choices'],
  [
    'one default for a list',
    { ...minimal, args: ['{x}'], inputs: { x: { repeated: true, default: 'b' } } },
    '/inputs/x/default',
    'a list',
  ],
  ['choices of another format', asking({ format: 'number', choices: ['a'] }), '/inputs/x/choices', 'number'],
  ['choices of a boolean', asking({ format: 'boolean', choices: ['a'] }), '/inputs/x/choices', 'true or false'],
  ['no choice', asking({ choices: [] }), '/inputs/x/choices', 'at least 1'],
  ['too much of it', { ...minimal, description: 'x'.repeat(70_000) }, '', '65536 characters'],
  ['NUL', { ...minimal, args: ['a\0'] }, '/args/0', 'NUL'],
];

const [figma] = figmaServerJson.packages;
const packageOf = (fields: object, document: object = figmaServerJson) => ({
  ...document,
  packages: [{ ...figma, ...fields }],
});
const variable = (fields: object) => packageOf({ environmentVariables: [{ name: 'X', ...fields }] });
const argument = (fields: object) => packageOf({ packageArguments: [fields] });

const serverJsons: [title: string, body: unknown, pointer: string, accepted: string][] = [
  ['an image', githubServerJson, '/packages/0/registryType', '"npm"'],
  ['a package of another registry', packageOf({ registryType: 'pypi' }), '/packages/0/registryType', '"npm"'],
  ['a range', packageOf({ version: '^0.13.0' }), '/packages/0/version', 'an exact version'],
  ['latest', packageOf({ version: 'latest' }), '/packages/0/version', '"latest"'],
  ['no version', packageOf({ version: undefined }), '/packages/0/version', 'is required'],
  [
    'a private registry',
    packageOf({ registryBaseUrl: 'https://npm.example.com' }),
    '/packages/0/registryBaseUrl',
    'left out',
  ],
  [
    'http',
    packageOf({ transport: { type: 'streamable-http', url: 'http://a' } }),
    '/packages/0/transport/type',
    '"stdio"',
  ],
  ['no transport', packageOf({ transport: undefined }), '/packages/0/transport', 'an object'],
  ['a URL', packageOf({ identifier: 'https://example.com/a.tgz' }), '/packages/0/identifier', 'npm registry'],
  ['a hash', packageOf({ fileSha256: 'a'.repeat(64) }), '/packages/0/fileSha256', 'leave it out'],
  [
    'options of node',
    packageOf({ runtimeArguments: [{ type: 'named', name: '--require', value: './x.js' }] }),
    '/packages/0/runtimeArguments/0',
    'only -y',
  ],
  [
    'code for node',
    packageOf({ runtimeArguments: [{ type: 'positional', value: '--eval=1' }] }),
    '/packages/0/runtimeArguments/0',
    'only -y',
  ],
  [
    'two packages',
    { ...figmaServerJson, packages: [figma, { ...figma, identifier: 'other' }] },
    '/packages',
    'figma-developer-mcp, other',
  ],
  [
    'remotes only',
    { ...figmaServerJson, packages: undefined, remotes: [{ type: 'sse', url: 'https://a' }] },
    '/packages',
    'remotes are not run',
  ],
  ['no package', { ...figmaServerJson, packages: [] }, '/packages', '"npm"'],
  ['another schema', { ...figmaServerJson, $schema: schema2025.replace('2025', '2024') }, '/$schema', schema2025],
  ['a name without a slash', { ...figmaServerJson, name: 'figma' }, '/name', 'one slash'],
  ['a long description', { ...figmaServerJson, description: 'x'.repeat(101) }, '/description', 'at most 100'],
  ['a reserved variable', variable({ name: 'LD_PRELOAD' }), '/packages/0/environmentVariables/0/name', 'reserved'],
  ['a variable of MiniMCP', variable({ name: 'MINIMCP_OWNER' }), '/packages/0/environmentVariables/0/name', 'reserved'],
  [
    'a secret with its value',
    variable({ isSecret: true, value: 'hunter2!' }),
    '/packages/0/environmentVariables/0/value',
    'left out',
  ],
  [
    'a secret with a default',
    variable({ isSecret: true, default: 'hunter2!' }),
    '/packages/0/environmentVariables/0/default',
    'left out',
  ],
  [
    'a variable with its secret',
    variable({ value: 'a{t}', variables: { t: { isSecret: true, value: 'hunter2!' } } }),
    '/packages/0/environmentVariables/0/variables/t/value',
    'left out',
  ],
  [
    'a default that is no number',
    variable({ format: 'number', default: 'many' }),
    '/packages/0/environmentVariables/0/default',
    'number',
  ],
  [
    'a default that is no choice',
    variable({ choices: ['a'], default: 'b' }),
    '/packages/0/environmentVariables/0/default',
    'choices',
  ],
  ['a variable of every object', variable({ name: 'constructor' }), '/packages/0/environmentVariables/0', 'reserved'],
  [
    'a secret argument',
    argument({ type: 'named', name: '--token', isSecret: true }),
    '/packages/0/packageArguments/0/isSecret',
    'environment variable',
  ],
  [
    'a secret in an argument',
    argument({ type: 'named', name: '--auth', value: 'Bearer {t}', variables: { t: { isSecret: true } } }),
    '/packages/0/packageArguments/0/variables/t',
    'environment variable',
  ],
  ['an argument of no kind', argument({ type: 'flag', name: '--a' }), '/packages/0/packageArguments/0/type', ''],
  ['an argument of nothing', argument({ type: 'positional' }), '/packages/0/packageArguments/0', 'valueHint'],
  [
    'one name for two things',
    packageOf({
      packageArguments: [{ type: 'named', name: '--X', description: 'x' }],
      environmentVariables: [{ name: 'X', isSecret: true }],
    }),
    '/packages/0/environmentVariables/0',
    'another name',
  ],
];

test.each([...manifests, ...serverJsons])('PUT refuses %s', async (_title, body, pointer, accepted) => {
  const before = await readAllRows(api.database.pool);
  const response = await api.ask('PUT', '/api/v1/types/bad', body);
  expect([response.statusCode, response.json().type]).toEqual([422, 'urn:minimcp:problem:invalid-body']);
  expect(response.json().errors).toEqual([{ pointer, message: expect.stringContaining(accepted) }]);
  expect(response.body).not.toContain('hunter2');
  expect(await readAllRows(api.database.pool)).toEqual(before);
});

test.each([
  ['Weather', '/name'],
  ['a.b', '/name'],
  ['-a', '/name'],
  ['__proto__', '/name'],
  ['a'.repeat(64), '/name'],
])('PUT refuses the name %s', async (name, pointer) => {
  const response = await api.ask('PUT', `/api/v1/types/${name}`, weather);
  expect([response.statusCode, response.json().errors[0].pointer]).toEqual([422, pointer]);
});

test.each([
  ['{"title": "T", "command": ["cat"], "inputs": {"__proto__": {}}}', 400],
  ['{"title": "T",', 400],
  ['', 422],
  [`{"title": "T", "command": ["cat"], "description": "${'x'.repeat(1_048_576)}"}`, 413],
])('PUT refuses a body that is no document: %#', async (body, status) => {
  expect((await api.ask('PUT', '/api/v1/types/bad', body)).statusCode).toBe(status);
  expect((await api.ask('GET', '/api/v1/types/bad')).statusCode).toBe(404);
});

test('what a server.json may say beside what is used', async () => {
  const body = {
    ...packageOf({
      registryBaseUrl: 'https://registry.npmjs.org/',
      runtimeHint: 'npx',
      runtimeArguments: [{ type: 'positional', value: '-y' }],
      packageArguments: [
        { type: 'named', name: '--stdio' },
        { type: 'named', name: '--port', format: 'number', default: '8080', description: 'Port' },
        { type: 'named', name: '--log.level', choices: ['debug', 'info'], isRequired: true },
        { type: 'named', name: '--verbose', format: 'boolean', isRequired: true },
        { type: 'named', name: '--json', value: '{"a": {a}, "b": {b}}', variables: { a: { default: '1' } } },
        { type: 'positional', valueHint: 'target dir', isRepeated: true, format: 'filepath', isRequired: true },
      ],
      environmentVariables: [
        { name: 'MODE', value: 'fixed' },
        {
          name: 'AUTH',
          value: 'Bearer {token}',
          isRequired: true,
          variables: { token: { isSecret: true, isRequired: true } },
        },
      ],
    }),
    title: 'All of it',
    websiteUrl: 'https://example.com',
    _meta: { 'com.example/x': { y: 1 } },
  };
  const image = { registryType: 'oci', identifier: 'docker.io/a:1', transport: { type: 'stdio' } };
  const response = await api.ask('PUT', '/api/v1/types/whole', { ...body, packages: [image, ...body.packages] });
  expect(response.statusCode).toBe(201);
  expect(response.json()).toMatchObject({
    title: 'All of it',
    key: 'required',
    manifest: {
      args: [
        '--stdio',
        ['--port', '{port}'],
        ['--log.level', '{log.level}'],
        { if: 'verbose', args: ['--verbose'] },
        ['--json', '{{"a": {a}, "b": {{b}}}}'],
        '{target_dir}',
      ],
      env: { MODE: 'fixed', AUTH: 'Bearer {token}' },
    },
    configSchema: {
      required: ['log.level', 'verbose', 'target_dir'],
      properties: { port: { type: 'number', default: 8080 }, 'log.level': { enum: ['debug', 'info'] } },
    },
    keyValuesSchema: { required: ['token'] },
  });
});

test('whatever is sent, the answer is a type that can be read or says what is wrong', async () => {
  let accepted = 0;
  const text = fc.constantFrom(
    '',
    'x',
    '{x}',
    '{{',
    '{',
    '--a',
    '1.2.3',
    'constructor',
    '__proto__',
    'latest',
    '{toString}',
  );
  const value = fc.oneof(text, fc.boolean(), fc.integer(), fc.constant(null), fc.array(text, { maxLength: 2 }));
  const common = {
    choices: fc.array(text, { maxLength: 2 }),
    description: text,
    placeholder: text,
    format: fc.constantFrom('string', 'number', 'boolean', 'filepath', 'other'),
  };
  const flag = fc.boolean();
  const ourInput = fc.record(
    { secret: flag, required: flag, repeated: flag, default: value, ...common },
    { requiredKeys: [] },
  );
  const input = fc.record(
    { isSecret: flag, isRequired: flag, default: text, value: text, ...common },
    { requiredKeys: [] },
  );
  const named = input.chain(fields =>
    fc
      .record(
        {
          type: fc.constantFrom('named', 'positional'),
          name: text,
          valueHint: text,
          variables: fc.dictionary(text, input),
        },
        { requiredKeys: ['type', 'name'] },
      )
      .map(more => ({ ...fields, ...more })),
  );
  const ours = fc.record(
    {
      title: fc.constant('T'),
      command: fc.constant(['cat']),
      args: fc.array(fc.oneof(value, fc.record({ if: text, args: fc.array(text) })), { maxLength: 3 }),
      env: fc.dictionary(fc.constantFrom('A', 'A', 'B', 'PATH', 'b-c'), text, { maxKeys: 2 }),
      inputs: fc.dictionary(fc.constantFrom('x', 'x', 'x', 'toString', 'y z'), ourInput, { maxKeys: 1 }),
    },
    { requiredKeys: ['title', 'command'] },
  );
  const theirs = fc
    .record({
      packageArguments: fc.array(named, { maxLength: 2 }),
      environmentVariables: fc.array(named, { maxLength: 2 }),
    })
    .map(packageOf);
  await fc.assert(
    fc.asyncProperty(fc.oneof(ours, theirs), async body => {
      const response = await api.ask('PUT', '/api/v1/types/any', body);
      if ([400, 422].includes(response.statusCode)) {
        expect(response.json().detail.length).toBeGreaterThan(0);
        return;
      }
      expect([200, 201]).toContain(response.statusCode);
      accepted += 1;
      expect((await api.ask('GET', '/api/v1/types/any')).json()).toEqual(response.json());
    }),
    { numRuns: 300 },
  );
  // Both ways were gone.
  expect(accepted).toBeGreaterThan(3);
  expect(accepted).toBeLessThan(297);
});
