import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { connectModern, post, readAnswer, subscribe } from '../support/clients.ts';
import { fixture } from '../support/fixture.ts';
import { sha256, startHost } from '../support/host.ts';
import { until } from '../support/until.ts';

/** What takes seconds by design: these wait side by side. */

test.concurrent('a child that never answers is unhealthy, and its clients are told in bounded time', async () => {
  await using host = await startHost({ command: fixture('never-answers') });
  expect(await host.health()).toMatchObject({ ok: false, message: expect.stringMatching(/not answered initialize/) });
  const startedAt = performance.now();
  const asking = post(host, { jsonrpc: '2.0', id: 7, method: 'tools/list' }).then(readAnswer);
  await expect(connectModern(host)).rejects.toThrow();
  const answer = await asking;
  expect(performance.now() - startedAt).toBeLessThan(15_000);
  expect(answer).toMatchObject({ id: 7, error: { message: expect.stringMatching(/not answered initialize/) } });
}, 40_000);

test.concurrent('a peer that sends its request slowly is cut off, a stream is not', async () => {
  await using host = await startHost({ command: fixture('echo') });
  const stream = await subscribe(host);
  const slow = connect(host.port, '127.0.0.1');
  slow.write('POST /mcp HTTP/1.1\r\nHost: ');
  const silent = connect(host.port, '127.0.0.1');
  const startedAt = performance.now();
  await Promise.all([text(slow), text(silent)]);
  expect(performance.now() - startedAt).toBeLessThan(8000);
  expect(await Promise.race([stream.ended.then(() => 'ended'), host.health().then(() => 'open')])).toBe('open');
}, 40_000);

test.concurrent('a call of a token that is not valid any more has a little time, then it is answered with an error', async () => {
  await using host = await startHost({ command: fixture('echo') });
  const sleep = (id: number, ms: number) => ({
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: { name: 'sleep', arguments: { ms } },
  });
  const calls = [sleep(1, 1000), sleep(2, 60_000)].map(call => post(host, call).then(readAnswer));
  await until('both are in flight', async () => (await host.health()).inFlight === 2);
  expect((await host.lease({ tokenHash: sha256('rotated') })).status).toBe(200);
  expect(await calls[0]).toMatchObject({ id: 1, result: {} });
  expect(await calls[1]).toMatchObject({ id: 2, error: { message: expect.stringContaining('token') } });
}, 40_000);
