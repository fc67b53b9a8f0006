import { expect, test } from 'vitest';
import { assignServer } from '../../controllers/server-type.ts';
import { typeManifest } from '../../specs/types/manifest.ts';
import { MiniMcpError } from '../../src/errors.ts';

const manifest = typeManifest.parse({
  title: 'T',
  command: ['cat'],
  env: { TOKENS: '{t}'.repeat(10_000) },
  inputs: { t: { secret: true } },
});
const row = { type: 't', type_manifest: JSON.stringify(manifest), type_program: '1', config: {} };

test('an api key that makes more of a variable than can be started is a failed start with its reason', () => {
  expect(assignServer(row, { t: 'abc' }).secrets).toEqual({ TOKENS: 'abc'.repeat(10_000) });
  const message = 'The api key makes env.TOKENS of the program longer than 65536 characters; give shorter values';
  expect(() => assignServer(row, { t: '$'.repeat(65_536) })).toThrow(new MiniMcpError('Misconfigured', message));
});
