import { request } from 'node:http';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callTool, connectModern } from '../support/clients.ts';
import { createInstallation } from '../support/installation.ts';
import type { Installation } from '../support/installation.ts';
import { stdioSpec } from '../support/specs.ts';

/** Instances that listen on every address of their machine. */
let it: Installation;

beforeAll(async () => {
  it = await createInstallation({ env: { MINIMCP_INSTANCE_HOST: '0.0.0.0' } });
  await it.startApi();
  await it.startControllers();
});
afterAll(() => it.close());

function statusAt(address: string, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: address, port, path: '/healthz', headers: { host }, agent: false }, response => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on('error', reject).end();
  });
}

test('the address that is told works, and so does every other one of the machine', async () => {
  const reply = await it.api('PUT', '/mcps/open', { spec: stdioSpec('echo.mjs') });
  expect(reply.status).toBe(201);
  const { status } = await it.phase('open', 'Ready');
  const access = (await it.api('GET', '/mcps/open/access')).body;
  const port = status.port!;
  expect([status.url, access.url]).toEqual(Array(2).fill(`http://127.0.0.1:${port}/mcp`));
  const client = await connectModern(access);
  expect((await callTool(client, 'echo', { text: 'open' })).text).toBe('open');
  await client.close();

  const addresses = Object.values(networkInterfaces()).flatMap(list => list ?? []);
  for (const { address } of addresses.filter(({ family }) => family === 'IPv4')) {
    expect(await statusAt(address, port, `${address}:${port}`), address).toBe(200);
  }
  // From outside, through a port that is published.
  expect(await statusAt('127.0.0.1', port, `203.0.113.7:${port}`)).toBe(200);
  expect(await statusAt('127.0.0.1', port, `rebound.test:${port}`)).toBe(403);
});
