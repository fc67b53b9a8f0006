import { OpenAPIBackend } from 'openapi-backend';
import type { Document } from 'openapi-backend';
import { expect, test } from 'vitest';
import { createTestApi } from '../support/api.ts';
import { figmaServerJson, weather } from '../support/types.ts';

test('the OpenAPI document says what a type is made of, in both languages', async () => {
  const api = await createTestApi();
  const definition: Document = (await api.ask('GET', '/api/v1/openapi.json')).json();
  await api.close();
  const backend = new OpenAPIBackend({ definition, quick: true, ajvOpts: { strict: false, validateFormats: false } });
  await backend.init();
  const faults = (body: object): string[] => {
    const headers = { 'content-type': 'application/json' };
    const request = { method: 'PUT', path: '/api/v1/types/t', headers, query: { dryRun: '0', force: '0' }, body };
    return (backend.validateRequest(request).errors ?? []).map(({ instancePath }) => instancePath);
  };
  for (const body of [weather, figmaServerJson, { title: 'T', command: ['cat'] }]) expect(faults(body)).toEqual([]);
  expect(faults({ ...weather, inputs: { token: { isSecret: true } } })).toContain('/requestBody/inputs/token');
  expect(faults({ ...figmaServerJson, packages: [{}] })).toContain('/requestBody/packages/0');
  expect(faults({ title: 5 })).not.toEqual([]);
});
