import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { instance } from '../../specs/instance.ts';
import { problem } from '../../specs/problem.ts';
import { createTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(async () => {
  await api.close();
});

async function count(): Promise<{ instances: number; tokens: number; events: number; changes: number; keys: number }> {
  const { rows } = await api.database.pool.query(
    `select (select count(*) from instances) as instances, (select count(*) from instance_tokens) as tokens,
       (select count(*) from events) as events, (select count(*) from changes) as changes,
       (select count(*) from api_keys) as keys`,
  );
  return rows[0];
}

// Strings that storage, pointers and parsers stumble over.
const oddText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '',
    '\0',
    '\ud800',
    '__proto__',
    'constructor',
    '/~',
    '2h',
    '1e999',
    'stdio',
    'github',
    '9999-12-31T23:59:59-23:59',
  ),
);
const oddJson = fc.letrec<{ value: unknown }>(tie => ({
  value: fc.oneof(
    { depthSize: 'small' },
    oddText,
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(oddText, tie('value'), { maxKeys: 4 }),
  ),
})).value;

/** Nearly right: each part right most of the time, so that what lies behind the first check is reached as well. */
const nearly = (right: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 15, arbitrary: right }, { weight: 1, arbitrary: oddJson });
const some = (fields: Record<string, fc.Arbitrary<unknown>>, requiredKeys: string[] = []): fc.Arbitrary<unknown> =>
  fc.record(fields, { requiredKeys });

const nearMetadata = some({
  labels: nearly(fc.dictionary(fc.constantFrom('a', 'b/c'), nearly(fc.constant('v')))),
  uid: nearly(fc.uuid()),
  generation: nearly(fc.nat()),
});
const leases = [
  some({}),
  some({ ttl: nearly(fc.constantFrom('1h', '90s', '0s', '99999999999w')) }, ['ttl']),
  some({ expiresAt: nearly(fc.constantFrom(null, '2999-01-01T00:00:00Z', '0000-01-01T00:00:00Z')) }, ['expiresAt']),
];
const rest = some({
  running: nearly(fc.boolean()),
  restart: nearly(fc.constantFrom('always', 'never')),
  resources: nearly(
    some({ memoryMiB: nearly(fc.integer({ min: 32, max: 2_000 })), cpus: nearly(fc.double({ min: 1, max: 9 })) }),
  ),
});
const kinds = [
  some(
    {
      type: nearly(fc.constant('github')),
      apiKey: nearly(fc.constant('k')),
      config: nearly(some({ readOnly: nearly(fc.boolean()) })),
    },
    ['type', 'apiKey'],
  ),
  some(
    {
      type: nearly(fc.constant('stdio')),
      apiKey: nearly(fc.constantFrom('k', null)),
      config: nearly(
        some(
          {
            command: nearly(fc.array(nearly(fc.string({ minLength: 1 })), { minLength: 1, maxLength: 3 })),
            args: nearly(fc.array(nearly(oddText), { maxLength: 3 })),
            env: nearly(fc.dictionary(fc.constantFrom('A', 'B_1'), nearly(oddText))),
            cwd: nearly(fc.constant('/')),
          },
          ['command'],
        ),
      ),
    },
    ['type', 'config'],
  ),
];
const nearSpec = fc.tuple(fc.oneof(...kinds), fc.oneof(...leases), rest).map(parts => Object.assign({}, ...parts));
const nearInstance = some({ metadata: nearly(nearMetadata), spec: nearly(nearSpec), status: oddJson }, ['spec']);

test('POST /mcps: any JSON is declared whole, or refused with a problem and nothing written', async () => {
  let declared = 0;
  await fc.assert(
    fc.asyncProperty(fc.oneof(nearInstance, nearInstance, oddJson), async body => {
      const before = await count();
      const response = await api.ask('POST', '/api/v1/mcps', JSON.stringify(body));
      const after = await count();
      if (response.statusCode === 201) {
        declared += 1;
        const { metadata } = instance.parse(response.json());
        expect(after).toEqual({
          ...before,
          instances: before.instances + 1,
          tokens: before.tokens + 1,
          events: before.events + 1,
          changes: before.changes + 1,
        });
        // What was declared can be declared again, and is the same.
        const again = await api.ask('PUT', `/api/v1/mcps/${metadata.name}`, response.json());
        expect([again.statusCode, again.json()]).toEqual([200, response.json()]);
      } else {
        expect([400, 422]).toContain(response.statusCode);
        problem.parse(response.json());
        expect(after).toEqual(before);
      }
    }),
    { numRuns: 400 },
  );
  // Else it was all noise.
  expect(declared).toBeGreaterThan(40);
});

test('any bytes as JSON are refused or understood', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.json(),
        fc.json().map(text => text.slice(1)),
      ),
      async text => {
        const before = await count();
        const response = await api.ask('POST', '/api/v1/mcps', text);
        expect([400, 422]).toContain(response.statusCode);
        expect(await count()).toEqual(before);
      },
    ),
    { numRuns: 150 },
  );
});

test('PATCH: any JSON leaves a valid instance or everything as it was', async () => {
  await api.ask('PUT', '/api/v1/mcps/patched', { spec: { type: 'stdio', config: { command: ['cat'] } } });
  await fc.assert(
    fc.asyncProperty(fc.oneof(nearInstance, oddJson), async body => {
      const before = (await api.ask('GET', '/api/v1/mcps/patched')).json();
      const response = await api.ask('PATCH', '/api/v1/mcps/patched', JSON.stringify(body));
      const after = instance.parse((await api.ask('GET', '/api/v1/mcps/patched')).json());
      if (response.statusCode === 200) {
        expect(response.json()).toEqual(after);
      } else {
        expect([400, 409, 422]).toContain(response.statusCode);
        expect(after).toEqual(before);
      }
    }),
    { numRuns: 200 },
  );
});

test('PUT /api-keys: any JSON is stored whole or refused without repeating a value', async () => {
  const value = fc.string({ minLength: 8 }).map(text => `S3CR3T${text}`);
  const body = fc.record(
    {
      type: nearly(fc.constantFrom('stdio', 'github')),
      values: nearly(fc.dictionary(fc.constantFrom('token', 'A', 'PATH', 'a b'), nearly(value), { maxKeys: 3 })),
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(body, async key => {
      const before = await count();
      const response = await api.ask('PUT', '/api/v1/api-keys/fuzzed', JSON.stringify(key));
      if (response.statusCode >= 300) {
        expect([400, 422]).toContain(response.statusCode);
        expect(await count()).toEqual(before);
      }
      expect(response.body).not.toContain('S3CR3T');
    }),
    { numRuns: 150 },
  );
  expect(api.logged.join('')).not.toContain('S3CR3T');
});

test.each(['/api/v1/mcps?', '/api/v1/events?', '/api/v1/types?', '/api/v1/api-keys?', '/api/v1/mcps/patched/events?'])(
  '%s with any query is answered or 400',
  async url => {
    const name = fc.constantFrom('type', 'phase', 'label', 'q', 'limit', 'cursor', 'instance', 'x', 'resourceVersion');
    const value = fc.oneof(
      oddText,
      fc.constantFrom('1', '500', 'a=b', 'Ready'),
      oddText.map(text => Buffer.from(text).toString('base64url')),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(name, value), { maxLength: 4 }), async pairs => {
        const query = new URLSearchParams(pairs.map(([n, v]): [string, string] => [n, v.toWellFormed()]));
        const response = await api.ask('GET', `${url}${query.toString()}`);
        expect([200, 400]).toContain(response.statusCode);
      }),
      { numRuns: 60 },
    );
  },
);
