import { readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { callTool, connectModern, post } from '../support/clients.ts';
import { fixture } from '../support/fixture.ts';
import { findMarked, hostForm, startHost } from '../support/host.ts';
import type { TestHost } from '../support/host.ts';
import { until } from '../support/until.ts';

const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
const sleep = (ms: number) => ({ ...ping, method: 'tools/call', params: { name: 'sleep', arguments: { ms } } });

const drain = (host: TestHost) =>
  fetch(`${host.origin}/control/drain`, { method: 'POST', headers: { authorization: `Bearer ${host.controlToken}` } });

describe('a drain', () => {
  test.each(['SIGTERM', 'SIGINT', 'control'] as const)('by %s lets requests in flight finish', async how => {
    await using host = await startHost({ command: fixture('echo') });
    await until('the child is up', async () => (await host.health()).ok);
    const calling = post(host, sleep(700)).then(response => response.text());
    await until('the call is in flight', async () => (await host.health()).inFlight === 1);
    if (how === 'control') expect((await drain(host)).status).toBe(202);
    else host.process.kill(how);
    await until('nothing new is accepted', () =>
      post(host, ping).then(
        response => response.status === 503,
        () => true,
      ),
    );
    expect(await calling).toContain('slept');
    expect(await host.exited).toEqual({ code: 0, signal: null });
    expect(host.exit()).toMatchObject({
      reason: 'drained',
      code: 0,
      attempt: host.assignment.attempt,
      child: null,
    });
    expect(findMarked(host.assignment.attempt)).toEqual([]);
  });

  test('takes a child that ignores SIGTERM, and a grandchild in a session of its own', async () => {
    await using stubborn = await startHost({ command: fixture('ignores-sigterm') });
    await using forking = await startHost({ command: fixture('forks-setsid') });
    const client = await connectModern(forking);
    const grandchild = Number((await callTool(client, 'grandchild')).text);
    for (const host of [stubborn, forking]) host.process.kill('SIGTERM');
    expect(await stubborn.exited).toEqual({ code: 0, signal: null });
    expect(await forking.exited).toEqual({ code: 0, signal: null });
    expect(findMarked(stubborn.assignment.attempt)).toEqual([]);
    expect(findMarked(forking.assignment.attempt)).toEqual([]);
    expect(() => process.kill(grandchild, 0)).toThrow();
    await client.close();
  });

  test('is overtaken by the end of the lease', async () => {
    await using host = await startHost({ command: fixture('echo'), leaseMs: 2000 });
    const endsAt = performance.now() + 2000;
    await until('the child is up', async () => (await host.health()).ok);
    const calling = post(host, sleep(60_000))
      .then(response => response.text())
      .catch(() => '');
    await until('the call is in flight', async () => (await host.health()).inFlight === 1);
    host.process.kill('SIGTERM');
    await host.exited;
    expect(performance.now() - endsAt).toBeLessThan(1000);
    await calling;
  });

  test('answers a kept connection with 503 and closes it', async () => {
    await using host = await startHost({ command: fixture('echo') });
    await until('the child is up', async () => (await host.health()).ok);
    const agent = new Agent({ keepAlive: true, maxSockets: 2 });
    const calling = post(host, sleep(600)).then(response => response.text());
    await until('the call is in flight', async () => (await host.health()).inFlight === 1);
    const status = () =>
      new Promise<number>((resolve, reject) => {
        const headers = { authorization: `Bearer ${host.token}` };
        request(host.url, { method: 'POST', agent, headers }, response => {
          response.resume().once('end', () => resolve(response.statusCode!));
        })
          .once('error', reject)
          .end();
      });
    expect(await status()).toBe(415);
    await drain(host);
    await expect(status()).rejects.toThrow(/ECONNREFUSED|ECONNRESET|hang up/);
    expect(await calling).toContain('slept');
    agent.destroy();
  });
});

/** A snapshot takes no --import, by which these tests plant their code. */
const plantable = test.skipIf(hostForm === 'snapshot');

plantable('an error that nobody caught is the last word of a crash', async () => {
  await using host = await startHost({ env: { NODE_OPTIONS: `--import=${crashOnSignal}` } });
  host.process.kill('SIGUSR2');
  expect(await host.exited).toEqual({ code: 71, signal: null });
  expect(host.exit()).toMatchObject({ reason: 'crashed', message: 'Error: planted [secret]' });
  expect(host.output()).toContain('host crashed');
  expect(host.output()).not.toContain('ghp_testtoken');
});

/** Code that every host of this test loads, as a data URL. */
const crashOnSignal = `data:text/javascript,process.on('SIGUSR2',()=>{throw%20new%20Error('planted%20ghp_testtoken')})`;

test('a host whose run directory is gone still ends in order', async () => {
  await using host = await startHost();
  rmSync(host.directory, { recursive: true });
  host.process.kill('SIGTERM');
  expect(await host.exited).toEqual({ code: 0, signal: null });
});

plantable('a full disk under the log costs lines, not the host', async () => {
  await using host = await startHost({ env: { NODE_OPTIONS: `--import=${fullDisk}` } });
  for (let id = 0; id < 5; id++) expect((await post(host, { ...ping, id })).status).toBe(200);
  expect(host.logLines()).toEqual([]);
  host.process.kill('SIGUSR2');
  await until('a line comes again', async () => {
    await post(host, ping).then(response => response.text());
    return host.logLines().length > 0;
  });
  expect(host.output().startsWith('\n')).toBe(true);
});

/** Puts /dev/full in the place of stdout until SIGUSR2 comes. */
const fullDisk = `data:text/javascript,import%20fs%20from'node:fs';import{syncBuiltinESMExports}from'node:module';
const%20full=fs.openSync('/dev/full','w'),write=fs.writeSync;let%20on=true;
fs.writeSync=(fd,...rest)=>write(fd===1&&on?full:fd,...rest);syncBuiltinESMExports();
process.on('SIGUSR2',()=>{on=false})`.replaceAll('\n', '');

test('identity.json names this process until the end', async () => {
  await using host = await startHost();
  const { pid, startTime, bootId, attempt } = host.identity();
  expect(pid).toBe(host.process.pid);
  expect(attempt).toBe(host.assignment.attempt);
  expect(bootId).toBe(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  expect(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]).toBe(startTime);
  expect(readFileSync(join(`/proc/${pid}/environ`), 'latin1')).toContain(`MINIMCP_ATTEMPT=${attempt}`);
  for (const where of ['cmdline', 'environ']) {
    expect(readFileSync(`/proc/${pid}/${where}`, 'latin1')).not.toContain('ghp_testtoken');
  }
});
