import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { instance } from '../../specs/instance.ts';
import type { Instance } from '../../specs/instance.ts';
import { createTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { beginAttempt, placeInstance, registerNode, writePhase } from '../support/observed.ts';

let api: TestApi;
const instances = new Map<string, Instance>();
const page = z.object({ items: z.array(instance), nextCursor: z.string().nullable() });

beforeAll(async () => {
  api = await createTestApi();
  await registerNode(api.database.pool, 'alive');
  await registerNode(api.database.pool, 'silent', 31_000);
  for (let i = 0; i < 12; i++) {
    const name = `${i % 2 === 0 ? 'even' : 'odd'}-${String(i).padStart(2, '0')}`;
    const spec = i % 3 === 0 ? { type: 'github', apiKey: 'k' } : { type: 'stdio', config: { command: ['cat'] } };
    const labels = { team: i % 2 === 0 ? 'a' : 'b', tier: i < 6 ? 'low' : 'high', 'example.com/x': '' };
    instances.set(name, (await api.ask('PUT', `/api/v1/mcps/${name}`, { metadata: { labels }, spec })).json());
  }
});
afterAll(async () => {
  await api.close();
});

const list = async (query: string) => page.parse((await api.ask('GET', `/api/v1/mcps${query}`)).json());
const names = async (query: string): Promise<string[]> => (await list(query)).items.map(item => item.metadata.name);

test('without a filter everything comes, by name', async () => {
  expect(await list('')).toEqual({ items: [...instances.values()].toSorted(byName), nextCursor: null });
});

test.each([
  ['?type=github', ['even-00', 'even-06', 'odd-03', 'odd-09']],
  ['?type=figma', []],
  ['?label=team=a&type=github', ['even-00', 'even-06']],
  ['?label=team%3Db&label=tier%3Dhigh', ['odd-07', 'odd-09', 'odd-11']],
  ['?label=example.com/x=&q=even-0', ['even-00', 'even-02', 'even-04', 'even-06', 'even-08']],
  ['?q=dd-0', ['odd-01', 'odd-03', 'odd-05', 'odd-07', 'odd-09']],
  ['?q=%25', []],
  ['?q=_', []],
  ['?phase=Ready', []],
  ['?phase=Pending&q=even-1', ['even-10']],
])('%s', async (query, expected) => {
  expect(await names(query)).toEqual(expected);
});

test('pages of any size give everything once, whatever is inserted meanwhile', async () => {
  for (const limit of [1, 5, 11, 12, 500]) {
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const next: z.infer<typeof page> = await list(`?limit=${limit}${cursor === null ? '' : `&cursor=${cursor}`}`);
      expect(next.items.length).toBeLessThanOrEqual(limit);
      seen.push(...next.items.map(item => item.metadata.name));
      cursor = next.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual([...instances.keys()].toSorted());
  }
});

test.each([
  ['?limit=0', '?limit'],
  ['?limit=501', '?limit'],
  ['?limit=ten', '?limit'],
  ['?limit=1.5', '?limit'],
  ['?phase=ready', '?phase'],
  ['?label=team', '?label'],
  ['?label==x', '?label'],
  ['?label=team=a&label=team=b', '?label'],
  ['?label=a%20b=x', '?label'],
  ['?type=a&type=b', '?type'],
  ['?cursor=nonsense', '?cursor'],
  [`?cursor=${Buffer.from('"A"').toString('base64url')}`, '?cursor'],
  [`?cursor=${Buffer.from('{"a":1}').toString('base64url')}`, '?cursor'],
  ['?q=%00', '?q'],
  ['?type=a%00', '?type'],
  ['?sort=name', '?sort'],
  ['?watch=yes', '?watch'],
])('%s is 400', async (query, pointer) => {
  const response = await api.ask('GET', `/api/v1/mcps${query}`);
  expect([response.statusCode, response.json().errors?.[0]?.pointer]).toEqual([400, pointer]);
});

test('the phase comes from status, and is Unknown where the node is silent', async () => {
  const { pool } = api.database;
  const uid = (name: string): string => instances.get(name)!.metadata.uid;
  for (const [name, node, port] of [
    ['even-02', 'alive', 3001],
    ['even-04', 'silent', 3002],
    ['odd-05', 'gone', 3003],
  ] as const) {
    await writePhase(pool, uid(name), 'Starting', await beginAttempt(pool, uid(name), node, port, 100 + port));
  }
  await placeInstance(pool, uid('odd-07'), 'silent', 3004);
  await placeInstance(pool, uid('odd-01'), 'alive', 3005);
  await writePhase(pool, uid('odd-01'), 'Stopped');
  expect(await names('?phase=Starting')).toEqual(['even-02']);
  expect(await names('?phase=Unknown')).toEqual(['even-04', 'odd-05']);
  expect(await names('?phase=Stopped')).toEqual(['odd-01']);
  expect(await names('?phase=Pending&type=stdio&limit=2')).toEqual(['even-08', 'even-10']);
  expect((await list('?q=even-02')).items[0]!.status).toMatchObject({
    phase: 'Starting',
    node: 'alive',
    port: 3001,
    pid: 3101,
    url: 'http://127.0.0.1:3001/mcp',
  });
  // Placed and not yet started: the address is known. Stopped: there is none any more.
  expect((await list('?q=odd-07')).items[0]!.status).toMatchObject({
    phase: 'Pending',
    node: 'silent',
    port: 3004,
    pid: null,
  });
  expect((await list('?q=odd-01')).items[0]!.status).toMatchObject({
    phase: 'Stopped',
    node: null,
    port: null,
    url: null,
  });
});

test('usage and last use come from observations; a predecessor is remembered', async () => {
  const { pool } = api.database;
  const { uid } = instances.get('even-08')!.metadata;
  const first = await beginAttempt(pool, uid, 'alive', 3006, 200);
  await pool.query(
    `insert into observations (attempt_id, instance_uid, ready, cpu, memory_bytes, requests, last_accessed_at, measured_at)
     values ($1, $2, true, 0.25, 1048576, 7, '2026-01-01T00:00:00Z', now())`,
    [first, uid],
  );
  await writePhase(pool, uid, 'Starting', first);
  const [seen] = (await list('?q=even-08')).items;
  expect(seen!.status).toMatchObject({
    usage: { cpu: 0.25, memoryBytes: 1_048_576 },
    requestCount: 7,
    lastAccessedAt: '2026-01-01T00:00:00.000Z',
  });
  await pool.query(`update attempts set ended_at = now(), end_reason = 'Exited' where id = $1`, [first]);
  // What has ended is nowhere and uses nothing.
  expect((await list('?q=even-08')).items.map(item => item.status)).toMatchObject([
    { port: null, pid: null, usage: null },
  ]);
  const second = await beginAttempt(pool, uid, 'alive', 3006, 201);
  await pool.query('insert into observations (attempt_id, instance_uid, ready) values ($1, $2, false)', [second, uid]);
  expect((await list('?q=even-08')).items[0]!.status).toMatchObject({
    pid: 201,
    usage: null,
    requestCount: 0,
    lastAccessedAt: '2026-01-01T00:00:00.000Z',
  });
});

test('expiredAt is that of the present lease alone', async () => {
  const { pool } = api.database;
  const spec = { type: 'stdio', config: { command: ['cat'] }, ttl: '1h' };
  const { metadata } = (await api.ask('PUT', '/api/v1/mcps/even-10', { spec })).json<Instance>();
  await pool.query(
    `insert into expiries (instance_uid, expires_at, generation) select uid, expires_at, generation from instances where uid = $1`,
    [metadata.uid],
  );
  expect((await list('?q=even-10')).items[0]!.status.expiredAt).not.toBe(null);
  await api.ask('PATCH', '/api/v1/mcps/even-10', { spec: { ttl: '2h' } });
  expect((await list('?q=even-10')).items[0]!.status.expiredAt).toBe(null);
});

test('ten thousand instances: first, filtered and last pages', async () => {
  await api.database.pool.query(
    `insert into instances (uid, name, type, labels, config)
     select gen_random_uuid(), 'many-' || to_char(n, 'FM00000'), 'stdio', jsonb_build_object('n', (n % 100)::text), '{}'
     from generate_series(1, 10000) n`,
  );
  expect((await list('?limit=500')).items).toHaveLength(500);
  expect((await list('?label=n%3D42&limit=500')).items).toHaveLength(100);
  expect((await list('?q=many-09999')).items).toHaveLength(1);
  const afterName = Buffer.from('"many-09990"').toString('base64url');
  expect(await names(`?cursor=${afterName}&limit=3`)).toEqual(['many-09991', 'many-09992', 'many-09993']);
  expect((await list('?phase=Stopped')).items).toHaveLength(1);
});

function byName(a: Instance, b: Instance): number {
  return a.metadata.name < b.metadata.name ? -1 : 1;
}
