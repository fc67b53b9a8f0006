import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { controller, node } from '../../specs/node.ts';
import { typeView } from '../../src/api/schemas.ts';
import { createTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { placeInstance, registerNode } from '../support/observed.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(async () => {
  await api.close();
});

const get = async (path: string) => (await api.ask('GET', `/api/v1${path}`)).json();

test('types come with the JSON Schemas of what they take', async () => {
  const { items, nextCursor } = await get('/types');
  expect(nextCursor).toBe(null);
  expect(items.map((type: { name: string }) => type.name)).toEqual(expect.arrayContaining(['github', 'stdio']));
  for (const item of items) {
    const { configSchema, keyValuesSchema, manifest, document, ...summary } = typeView.parse(
      await get(`/types/${item.name}`),
    );
    expect(item).toEqual(summary);
    expect([manifest, document]).toEqual([null, null]);
    expect(configSchema).toMatchObject({ $schema: expect.stringContaining('2020-12'), type: 'object' });
    expect(keyValuesSchema).toMatchObject({ $schema: expect.stringContaining('2020-12') });
  }
  const github = await get('/types/github');
  expect(github).toMatchObject({
    key: 'required',
    configSchema: { properties: { readOnly: { type: 'boolean', default: false } }, additionalProperties: false },
    keyValuesSchema: { required: ['token'] },
  });
  // As clients write it: nothing with a default is required.
  expect(github.configSchema.required ?? []).toEqual([]);
  const first = await get('/types?limit=1');
  const second = await get(`/types?limit=1&cursor=${first.nextCursor}`);
  expect([first.items[0].name, second.items[0].name]).toEqual(
    items.slice(0, 2).map((type: { name: string }) => type.name),
  );
});

test.each(['jira', 'constructor', '__proto__', 'GitHub', 'a%00'])('there is no type %s', async name => {
  expect((await api.ask('GET', `/api/v1/types/${name}`)).statusCode).toBe(404);
});

test('nodes and controllers, alive by their heartbeats', async () => {
  const { pool } = api.database;
  await registerNode(pool, 'b-silent', 31_000);
  await registerNode(pool, 'a-alive', 1_000, '127.0.0.2');
  const { metadata } = (
    await api.ask('POST', '/api/v1/mcps', { spec: { type: 'stdio', config: { command: ['cat'] } } })
  ).json();
  await placeInstance(pool, metadata.uid, 'a-alive', 3001);
  const nodes = z.array(node).parse((await get('/nodes')).items);
  expect(nodes).toMatchObject([
    {
      name: 'a-alive',
      alive: true,
      instances: 1,
      portRange: '3001-4999',
      instanceHost: '127.0.0.2',
      runtime: 'builtin',
    },
    { name: 'b-silent', alive: false, instances: 0 },
  ]);
  await pool.query(
    `insert into controllers (node, name, pid, stats, heartbeat_at) values
       ('a-alive', 'process', 7, '{"reconciles": 3, "lastAction": "spawn"}', now()),
       ('a-alive', 'expiry', 7, '{}', now() - interval '1 minute')`,
  );
  const controllers = z.array(controller).parse((await get('/controllers')).items);
  expect(controllers).toMatchObject([
    { name: 'expiry', node: 'a-alive', alive: false, stats: { reconciles: 0, lastAction: null } },
    { name: 'process', node: 'a-alive', alive: true, pid: 7, stats: { reconciles: 3, lastAction: 'spawn', errors: 0 } },
  ]);
});
