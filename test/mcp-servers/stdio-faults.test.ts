import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { callTool, connectModern, post, readAnswer } from '../support/clients.ts';
import { fixture } from '../support/fixture.ts';
import { findMarked, startHost } from '../support/host.ts';
import { until } from '../support/until.ts';

const call = (name: string, args: object = {}, id: string | number = 1) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: args },
});

function memoryMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]) / 1024;
}

describe('a program that cannot be started', () => {
  test('because it does not exist', async () => {
    await using host = await startHost({ command: ['/nowhere/to-be-found'] });
    expect(await host.exited).toEqual({ code: 78, signal: null });
    const { reason, message } = host.exit();
    expect(reason).toBe('misconfigured');
    expect(message).toMatch(/"\/nowhere\/to-be-found" was not found\. Install it .* spec\.config\.command/);
  });

  test('because it may not be executed', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'minimcp-'));
    const file = join(directory, 'plain.txt');
    writeFileSync(file, 'no program', { mode: 0o600 });
    await using host = await startHost({ command: [file] });
    expect((await host.exited).code).toBe(78);
    expect(host.exit().message).toMatch(/may not be executed/);
    rmSync(directory, { recursive: true });
  });

  test('because its directory does not exist', async () => {
    await using host = await startHost({ command: { argv: fixture('echo'), cwd: '/nowhere' } });
    expect((await host.exited).code).toBe(78);
    expect(host.exit().message).toContain('/nowhere does not exist');
  });

  test('because there is none', async () => {
    await using host = await startHost({ type: 'stdio' });
    expect((await host.exited).code).toBe(78);
    expect(host.exit().message).toContain('spec.config.command');
  });
});

describe('a child that ends', () => {
  test('at its start takes the host along, with its code and its last words', async () => {
    await using host = await startHost({ command: fixture('crashes-at-start') });
    expect(await host.exited).toEqual({ code: 70, signal: null });
    expect(host.exit()).toMatchObject({
      reason: 'child-exited',
      message: expect.stringMatching(/exited with code 3.*no such database/),
      child: { code: 3, signal: null },
    });
    expect(host.output()).toContain('no such database');
  });

  test('answers every request that waits, with the reason', async () => {
    await using host = await startHost({ command: fixture('echo') });
    await until('the child is up', async () => (await host.health()).ok);
    const waiting = ['constructor', 2, 3].map(id => post(host, call('sleep', { ms: 60_000 }, id)).then(readAnswer));
    await until('they are in flight', async () => (await host.health()).inFlight === 3);
    const crashing = post(host, call('crash', { code: 5 }, 4)).then(readAnswer);
    for (const answer of await Promise.all([...waiting, crashing])) {
      expect(answer.error).toMatchObject({ code: -32603, message: expect.stringContaining('exited with code 5') });
    }
    expect(await host.exited).toEqual({ code: 70, signal: null });
    expect(host.exit().message).toContain('exited with code 5');
  });

  test('in the middle of an answer is no different', async () => {
    await using host = await startHost({ command: fixture('echo') });
    const answer = await readAnswer(await post(host, call('half')));
    expect(answer.error?.message).toContain('exited with code 9');
    expect((await host.exited).code).toBe(70);
  });

  test('by a signal is named', async () => {
    await using host = await startHost({ command: fixture('echo') });
    const client = await connectModern(host);
    process.kill(Number((await callTool(client, 'pid')).text), 'SIGKILL');
    expect((await host.exited).code).toBe(70);
    expect(host.exit().message).toContain('was ended by SIGKILL');
    expect(host.exit().child).toEqual({ code: null, signal: 'SIGKILL' });
    await client.close().catch(() => {});
  });

  test('some time later says so, without its secrets', async () => {
    await using host = await startHost({
      command: fixture('crashes-after', '300'),
      secrets: { WORD: 'fixture: time to crash' },
    });
    expect((await host.exited).code).toBe(70);
    expect(host.exit().message).toMatch(/exited with code 4.*\[secret\]/);
  });

  test('does not say the last lines of a secret either', async () => {
    const lines = ['ab1xy', 'cd2xy', 'ef3xy', 'gh4xy', 'ij5xy', 'kl6xy', 'mn7xy', 'op8xy'];
    await using host = await startHost({
      command: fixture('dies-saying', `the key is\n${lines.join('\n')}`),
      secrets: { KEY: lines.join('\n') },
    });
    expect((await host.exited).code).toBe(70);
    expect(host.exit().message).toContain('the key is\n[secret]');
    expect(host.exit().message).not.toContain('xy');
  });

  test.each([10, 2048 - 10, 2048 + 88 - 10])('nor the end of one that is %i bytes from its own', async bytes => {
    const secret = '0123456789abcdef'.repeat(4);
    const words = `${'y'.repeat(5000)}${secret}${'x'.repeat(bytes)}`;
    await using host = await startHost({ command: fixture('dies-saying', words), secrets: { KEY: secret } });
    expect((await host.exited).code).toBe(70);
    expect(host.exit().message).toMatch(/exited with code 6\. Its last words: .*x$/);
    expect(host.exit().message).not.toMatch(/cdef/);
  });

  test('leaves no grandchild behind', async () => {
    await using host = await startHost({ command: fixture('forks-setsid') });
    await post(host, call('crash')).then(response => response.text());
    expect((await host.exited).code).toBe(70);
    expect(findMarked(host.assignment.attempt)).toEqual([]);
  });
});

describe('a child that writes without end', () => {
  test.each(['stdout', 'stderr'])('on %s costs no memory and is still served', async stream => {
    await using host = await startHost({ command: fixture('floods', stream), logLevel: 'silent' });
    await until('it is up', async () => (await host.health()).ok);
    const client = await connectModern(host);
    const written = async () => Number((await callTool(client, 'written')).text);
    const start = await written();
    await until('it has written 40 MB', async () => (await written()) > start + 40_000_000);
    const heldMiB = memoryMiB(host.process.pid!);
    await until('it has written 160 MB', async () => (await written()) > start + 160_000_000);
    expect(memoryMiB(host.process.pid!) - heldMiB).toBeLessThan(80);
    expect((await host.health()).ok).toBe(true);
    await client.close();
  });
});

describe('an answer', () => {
  test('of some megabytes is carried', async () => {
    await using host = await startHost({ command: fixture('echo') });
    const client = await connectModern(host);
    expect((await callTool(client, 'giant', { bytes: 8_000_000 })).text).toHaveLength(8_000_000);
    await client.close();
  });

  test('over the limit is refused by name, and the next is carried again', async () => {
    await using host = await startHost({ command: fixture('echo') });
    const answer = await readAnswer(await post(host, call('giant', { bytes: 40_000_000 })));
    expect(answer.error?.message).toMatch(/over the limit of \d+ bytes/);
    expect((await readAnswer(await post(host, call('echo', { text: 'again' })))).result).toBeDefined();
    expect(memoryMiB(host.process.pid!)).toBeLessThan(300);
  });
});
