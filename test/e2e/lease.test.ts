import net from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Event } from '../../specs/event.ts';
import { startFakeGithub } from '../support/github.ts';
import type { FakeGithub } from '../support/github.ts';
import { createInstallation } from '../support/installation.ts';
import type { Installation } from '../support/installation.ts';
import { callTool, connectLegacy, connectModern } from '../support/clients.ts';
import { until } from '../support/until.ts';

/** One lease from its declaration to its end and back, as clients of both SDKs see it. */
let it: Installation;
let fake: FakeGithub;

beforeAll(async () => {
  fake = await startFakeGithub();
  it = await createInstallation({ env: { MINIMCP_GITHUB_API_URL: fake.url } });
  await it.startApi();
  await it.startControllers();
});
afterAll(async () => {
  await it.close();
  await fake[Symbol.asyncDispose]();
});

interface Access {
  url: string;
  token: string;
}

async function accessOf(name: string): Promise<Access> {
  const reply = await it.api('GET', `/mcps/${name}/access`);
  expect(reply.status).toBe(200);
  return reply.body as Access;
}

function listens(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function post(access: Access, headers: Record<string, string>): Promise<number> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
  const accept = 'application/json, text/event-stream';
  return fetch(access.url, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', accept, ...headers },
  }).then(reply => reply.status);
}

async function reasons(name: string): Promise<string[]> {
  const reply = await it.api('GET', `/mcps/${name}/events`);
  return (reply.body.items as Event[]).map(event => event.reason);
}

interface Case {
  readonly name: string;
  readonly spec: Record<string, unknown>;
  /** Three calls and what their answers have in common. */
  readonly calls: readonly [tool: string, args: Record<string, unknown>, answer: RegExp][];
}

const cases: Case[] = [
  {
    name: 'github',
    spec: { type: 'github', apiKey: 'gh', config: { readOnly: false } },
    calls: [
      ['get_me', {}, /mona/],
      ['search_repositories', { query: 'demo' }, /mona\/demo/],
      ['list_issues', { owner: 'mona', repo: 'demo' }, /Issue 4/],
    ],
  },
  {
    name: 'everything',
    spec: { type: 'stdio', config: { package: '@modelcontextprotocol/server-everything', version: '2026.8.31' } },
    calls: [
      ['echo', { message: 'hello' }, /hello/],
      ['get-sum', { a: 2, b: 3 }, /5/],
      ['echo', { message: 'again' }, /again/],
    ],
  },
];

test.each(cases)(
  '$name: declared, used, extended, expired on time, restored and used again',
  { timeout: 120_000 },
  async ({ name, spec, calls }) => {
    if ('apiKey' in spec) {
      const key = await it.api('PUT', '/api-keys/gh', { type: 'github', values: { token: 'ghp_testtoken' } });
      expect(key.status).toBeLessThan(300);
      expect(JSON.stringify(key.body)).not.toContain('testtoken');
    }
    const made = await it.api('POST', '/mcps', { metadata: { name }, spec: { ...spec, ttl: '20s' } });
    expect(made.status).toBe(201);
    // A package is installed first; the lease must not run out meanwhile.
    await it.api('POST', `/mcps/${name}/extend`, { ttl: '60s' });
    const ready = await it.phase(name, 'Ready', 60_000);
    const access = await accessOf(name);
    const port = ready.status.port!;

    for (const connect of [connectLegacy, connectModern]) {
      const client = await connect(access);
      const tools = (await client.listTools()).tools.map(tool => tool.name);
      for (const [tool, args, answer] of calls) {
        expect(tools).toContain(tool);
        const result = await callTool(client, tool, args);
        expect(result.isError, result.text).toBe(false);
        expect(result.text).toMatch(answer);
      }
      await client.close();
    }
    // The calls are seen.
    await until('the calls are counted', async () => {
      const { status } = await it.get(name);
      return status.lastAccessedAt !== null && status.requestCount >= 2 * calls.length;
    });

    const bearer = { authorization: `Bearer ${access.token}` };
    expect(await post(access, {})).toBe(401);
    expect(await post(access, { authorization: 'Bearer wrong' })).toBe(401);
    expect(await post(access, { ...bearer, origin: 'http://evil.example' })).toBe(403);

    // Extended without a new process, then cut short.
    const pid = (await it.get(name)).status.pid!;
    expect((await it.api('POST', `/mcps/${name}/extend`, { ttl: '5m' })).status).toBe(200);
    const expiresAt = new Date(Date.now() + 1_500);
    expect((await it.api('PATCH', `/mcps/${name}`, { spec: { expiresAt: expiresAt.toISOString() } })).status).toBe(200);
    await until('the host knows', async () => {
      const { rows } = await it.database.pool.query<{ known: boolean }>(
        `select a.lease_expires_at = i.expires_at as known from attempts a join instances i on i.uid = a.instance_uid
       where i.name = $1 and a.ended_at is null`,
        [name],
      );
      return rows[0]?.known;
    });
    expect((await it.get(name)).status.pid).toBe(pid);
    await until('the port is closed', async () => !(await listens(port)));
    const expired = await it.phase(name, 'Expired');
    const lateMs = Date.parse(expired.status.conditions[0]!.lastTransitionAt) - expiresAt.getTime();
    expect(lateMs).toBeGreaterThanOrEqual(0);
    expect(expired.status).toMatchObject({ pid: null, port: null, url: null });
    expect((await it.observer.look()).live[name]).toBeUndefined();
    expect((await it.api('GET', `/mcps/${name}/access`)).status).toBe(409);

    expect((await it.api('POST', `/mcps/${name}/restore`, { ttl: '5m' })).status).toBe(200);
    await it.phase(name, 'Ready');
    const again = await accessOf(name);
    expect(await post(again, bearer)).toBe(401);
    const client = await connectModern(again);
    const [tool, args, answer] = calls[0]!;
    expect((await callTool(client, tool, args)).text).toMatch(answer);
    await client.close();

    const told = await reasons(name);
    for (const reason of ['Declared', 'Scheduled', 'Spawning', 'Ready', 'Extended', 'Expired', 'Restored'])
      expect(told).toContain(reason);

    await it.api('DELETE', `/mcps/${name}?wait=10s`);
    expect((await it.api('GET', `/mcps/${name}`)).status).toBe(404);
    const seen = await it.observer.look();
    expect(seen.live[name]).toBeUndefined();
    expect(seen.most[name]).toBe(1);
  },
);
