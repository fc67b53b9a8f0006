import { expect, test } from 'vitest';
import { bearerToken, guardHost, isOwnMachine, originAllowed, tokenMatches } from '../../mcp-servers/host/access.ts';
import { createConceal } from '../../mcp-servers/host/log.ts';
import { sha256 } from '../support/host.ts';

test('a token is what follows Bearer, and nothing else', () => {
  expect(bearerToken('Bearer abc')).toBe('abc');
  expect(bearerToken('bearer   abc ')).toBe('abc');
  for (const header of [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Basic abc',
    'abc',
    'Bearer a b',
    `Bearer ${'x'.repeat(5000)}`,
  ]) {
    expect(bearerToken(header), header).toBeNull();
  }
});

test('only the very token matches its hash', () => {
  expect(tokenMatches('right', sha256('right'))).toBe(true);
  expect(tokenMatches('right', sha256('right').toUpperCase())).toBe(true);
  expect(tokenMatches('wrong', sha256('right'))).toBe(false);
  expect(tokenMatches(null, sha256(''))).toBe(false);
  expect(tokenMatches('right', 'no hash at all')).toBe(false);
});

test('hosts are names with the port', () => {
  const loopback = ['localhost:3001', 'LOCALHOST:3001', '127.0.0.1:3001', '[::1]:3001'];
  const foreign = [undefined, '', '10.0.0.8:3001', '10.0.0.7', '10.0.0.7:3002', 'evil.test:3001', '[fe80::1]:3001'];
  const one = guardHost('10.0.0.7', 3001);
  for (const header of ['10.0.0.7:3001', ...loopback]) expect(one(header), header).toBe(true);
  for (const header of foreign) expect(one(header), header).toBe(false);
  expect(guardHost('fe80::1', 1)('[fe80::1]:1')).toBe(true);
});

test.each(['0.0.0.0', '::', '0:0:0:0:0:0:0:0', '::ffff:0.0.0.0'])('bound to %s, every address is a host', host => {
  const open = guardHost(host, 3001);
  for (const header of ['localhost:3001', '10.0.0.7:3001', '203.0.113.9:3001', '[fe80::1]:3001', '0.0.0.0:3001']) {
    expect(open(header), header).toBe(true);
  }
  for (const header of [
    undefined,
    '',
    ':3001',
    '10.0.0.7',
    '10.0.0.7:13001',
    '10.0.0.7:3002',
    'evil.test:3001',
    '10.0.0.7.evil.test:3001',
    '[evil]:3001',
    'fe80::1:3001',
    '10.0.0.7:1:3001',
    'a@10.0.0.7:3001',
  ]) {
    expect(open(header), header).toBe(false);
  }
});

test('origins and peers of this machine are told from others', () => {
  expect(originAllowed(undefined)).toBe(true);
  expect(originAllowed('http://localhost')).toBe(true);
  for (const origin of [
    '',
    'null',
    'http://localhost.test',
    'http://127.0.0.1.test',
    'ftp://localhost',
    'http://localhost/x',
  ]) {
    expect(originAllowed(origin), origin).toBe(false);
  }
  // Bound to an address of the network, the controllers come from that very address.
  expect(isOwnMachine({ remoteAddress: '192.0.2.1', localAddress: '192.0.2.1' })).toBe(true);
  for (const address of ['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1'])
    expect(isOwnMachine({ remoteAddress: address, localAddress: '192.0.2.99' })).toBe(true);
  for (const address of [undefined, '10.0.0.1', '::ffff:10.0.0.1', '127.evil', '1270.0.1'])
    expect(isOwnMachine({ remoteAddress: address, localAddress: '192.0.2.99' })).toBe(false);
});

test('secrets are taken out of texts, also where JSON has escaped them', () => {
  const conceal = createConceal(['s3cret-value', 'two\nlines "quoted"', 'ab']);
  expect(conceal('a s3cret-value b s3cret-value')).toBe('a [secret] b [secret]');
  expect(conceal(JSON.stringify({ x: 'two\nlines "quoted"' }))).toBe('{"x":"[secret]"}');
  expect(conceal('about')).toBe('about');
});

test('a secret within another, or across it, leaves no rest of that one', () => {
  expect(createConceal(['token-abc', 'token-abc-REST'])('a token-abc-REST b token-abc')).toBe('a [secret] b [secret]');
  expect(createConceal(['left-middle', 'middle-right'])('a left-middle-right b')).toBe('a [secret] b');
  expect(createConceal(['secret', 'a secret'])('a secret')).toBe('[secret]');
});

test('secrets are taken out encoded, and by the line', () => {
  const conceal = createConceal(['p@ss/word?&', '-----BEGIN KEY-----\r\nMIIEpAIBAAKCAQEA\nshort\n']);
  expect(conceal(`?q=${encodeURIComponent('p@ss/word?&')}`)).toBe('?q=[secret]');
  expect(conceal(`x ${Buffer.from('p@ss/word?&').toString('base64')} y`)).toBe('x [secret] y');
  expect(conceal(`x ${Buffer.from('p@ss/word?&').toString('base64url')} y`)).toBe('x [secret] y');
  for (const user of ['', 'u', 'us', 'use']) {
    const basic = Buffer.from(`${user}:p@ss/word?&`).toString('base64');
    expect(conceal(`Basic ${basic}`), basic).toMatch(/^Basic .{0,6}\[secret\].?=*$/);
  }
  expect(conceal('at MIIEpAIBAAKCAQEA, short')).toBe('at [secret], short');
});

test('of a secret that is cut off at the beginning nothing is left', () => {
  const secret = 'abcdefghijklmnopqrstuvwxyz';
  const conceal = createConceal([secret]);
  for (let cut = 0; cut <= secret.length; cut++) {
    const tail = `${secret}${secret} ${'.'.repeat(100)}`.slice(cut);
    expect(conceal(tail, conceal.longestBytes), String(cut)).toMatch(/^(\[secret\])? ?\.+$/);
  }
});
