import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readAccount } from '../../mcp-servers/gmail/account.ts';
import { Misconfigured } from '../../mcp-servers/host/program.ts';
import { callTool, connectModern } from '../support/clients.ts';
import type { ToolAnswer } from '../support/clients.ts';
import { gmailSecrets, startFakeGmail, startGmailHost } from '../support/gmail.ts';
import type { FakeGmail } from '../support/gmail.ts';
import type { HostOptions, TestHost } from '../support/host.ts';
import { until } from '../support/until.ts';

let gmail: FakeGmail;
let key: Record<string, string>;
beforeAll(async () => {
  gmail = await startFakeGmail();
  key = (await gmail.control('GET', 'service-account')) as Record<string, string>;
});
afterAll(() => gmail[Symbol.asyncDispose]());

/** A host of its own, and a tool call through it. */
async function withHost(
  options: HostOptions,
  use: (call: () => Promise<ToolAnswer>, host: TestHost) => Promise<void>,
): Promise<void> {
  await gmail.forgetCalls();
  await using host = await startGmailHost(gmail, options);
  const client = await connectModern(host);
  await use(() => callTool(client, 'get_message', { messageId: 'a001' }), host);
  await client.close();
}

async function tokenCalls(): Promise<URLSearchParams[]> {
  const calls = (await gmail.calls()).filter(({ path }) => path === '/token');
  return calls.map(({ body }) => new URLSearchParams(String(body)));
}

const serviceSecrets = () => ({ serviceAccount: JSON.stringify(key), subject: 'me@example.com' });

describe.each([
  ['a refresh token', () => gmailSecrets],
  ['a service account', serviceSecrets],
])('with %s', (_what, secrets) => {
  let host: TestHost;
  let client: Awaited<ReturnType<typeof connectModern>>;
  const call = (): Promise<ToolAnswer> => callTool(client, 'get_message', { messageId: 'a001' });
  beforeAll(async () => {
    host = await startGmailHost(gmail, { secrets: secrets() });
    client = await connectModern(host);
  });
  afterAll(async () => {
    await client.close();
    await host.dispose();
  });

  test('calls at once share one access token, and so do those that follow', async () => {
    await gmail.forgetCalls();
    await client.listTools();
    // Before the first call nobody is asked.
    expect(await gmail.calls()).toEqual([]);
    const answers = await Promise.all(Array.from({ length: 5 }, call));
    expect(answers.filter(({ isError }) => isError)).toEqual([]);
    expect((await call()).isError).toBe(false);
    expect(await tokenCalls()).toHaveLength(1);
  });

  test('a revoked access token is replaced once, by calls at once too', async () => {
    await call();
    await gmail.control('DELETE', 'tokens');
    await gmail.forgetCalls();
    const answers = await Promise.all(Array.from({ length: 3 }, call));
    expect(answers.filter(({ isError }) => isError)).toEqual([]);
    expect(await tokenCalls()).toHaveLength(1);
  });

  test('who hears late that a token was revoked uses the one that others have got', async () => {
    await call();
    await gmail.control('DELETE', 'tokens');
    await gmail.forgetCalls();
    await gmail.fail({ kind: 'slow', delayMs: 1000, times: 1, path: '/a002$' });
    const late = callTool(client, 'get_message', { messageId: 'a002' });
    await until('it is asked', async () => (await gmail.calls()).length > 0);
    expect((await call()).isError).toBe(false);
    expect((await late).isError).toBe(false);
    await gmail.fail(null);
    expect(await tokenCalls()).toHaveLength(1);
  });

  test('an access token near its end is replaced before it is used', async () => {
    await gmail.control('DELETE', 'tokens');
    await gmail.control('PUT', 'tokens', { lifetimeS: 60 });
    await call();
    await gmail.control('PUT', 'tokens', { lifetimeS: 3600 });
    await gmail.forgetCalls();
    expect((await call()).isError).toBe(false);
    expect((await call()).isError).toBe(false);
    const calls = await gmail.calls();
    expect(calls.map(({ path, status }) => `${path.split('/')[1]} ${status}`)).toEqual([
      'token 200',
      'gmail 200',
      'gmail 200',
    ]);
  });
});

test('a refresh token is sent with its client, and Google is given nothing else', async () => {
  await withHost({}, async call => {
    await call();
    const [form] = await tokenCalls();
    expect(Object.fromEntries(form!)).toEqual({
      grant_type: 'refresh_token',
      client_id: gmailSecrets.clientId,
      client_secret: gmailSecrets.clientSecret,
      refresh_token: gmailSecrets.refreshToken,
    });
  });
});

test.each([
  [{}, 'gmail.readonly'],
  [{ readOnly: false, allowSend: true }, 'gmail.modify'],
])('a service account with %o asks for %s, for its subject, and ignores its token_uri', async (config, scope) => {
  await withHost({ config, secrets: serviceSecrets() }, async call => {
    expect((await call()).isError).toBe(false);
    const [form] = await tokenCalls();
    const claims = JSON.parse(Buffer.from(form!.get('assertion')!.split('.')[1]!, 'base64url').toString()) as object;
    expect(claims).toMatchObject({
      iss: key['client_email'],
      sub: 'me@example.com',
      aud: 'https://oauth2.googleapis.com/token',
      scope: `https://www.googleapis.com/auth/${scope}`,
    });
  });
});

test.each<[string, () => Record<string, string>, RegExp]>([
  [
    'a wrong refresh token',
    () => ({ ...gmailSecrets, refreshToken: 'refresh-wrong' }),
    /no longer accepts .*invalid_grant/,
  ],
  ['a wrong client', () => ({ ...gmailSecrets, clientId: 'client-wrong' }), /does not know the OAuth client/],
  [
    'a wrong client secret',
    () => ({ ...gmailSecrets, clientSecret: 'secret-wrong' }),
    /Check clientId and clientSecret/,
  ],
  [
    'a key Google never saw',
    () => ({ ...serviceSecrets(), serviceAccount: withKey(newKey('rsa')) }),
    /invalid_grant: Invalid JWT Signature.*its key was not deleted/,
  ],
  [
    'an unknown subject',
    () => ({ ...serviceSecrets(), subject: 'nobody@example.com' }),
    /"subject" is the address of an existing user/,
  ],
])('%s is explained, and no value told', async (_what, secrets, message) => {
  const given = secrets();
  await withHost({ secrets: given }, async (call, host) => {
    const { isError, text } = await call();
    expect({ isError, text }).toEqual({ isError: true, text: expect.stringMatching(message) });
    for (const value of Object.values(given)) {
      expect(text).not.toContain(value);
      if (value !== 'nobody@example.com') expect(host.output()).not.toContain(value);
    }
  });
});

test('a refresh token for reading alone says which scope the rest needs', async () => {
  await using host = await startGmailHost(gmail, { secrets: { ...gmailSecrets, refreshToken: 'refresh-read' } });
  const client = await connectModern(host);
  expect((await callTool(client, 'get_message', { messageId: 'a001' })).isError).toBe(false);
  const answer = await callTool(client, 'trash_message', { messageId: 'a001' });
  expect(answer).toEqual({ isError: true, text: expect.stringMatching(/scopes do not allow this.*gmail\.modify/) });
  await client.close();
});

function newKey(type: 'rsa' | 'ed25519'): string {
  const encoding = {
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  } as const;
  return type === 'rsa'
    ? generateKeyPairSync('rsa', { modulusLength: 2048, ...encoding }).privateKey
    : generateKeyPairSync('ed25519', encoding).privateKey;
}

const withKey = (pem: string): string => JSON.stringify({ ...key, private_key: pem });

test.each<[string, () => Record<string, string>, RegExp]>([
  ['nothing', () => ({}), /"clientId", "clientSecret" and "refreshToken", or with "serviceAccount" and "subject"/],
  ['half a client', () => ({ clientId: 'a', refreshToken: 'b' }), /"clientSecret"/],
  ['no JSON', () => ({ serviceAccount: '-----BEGIN hidden', subject: 'me@example.com' }), /not a JSON object/],
  [
    'another JSON',
    () => ({ serviceAccount: '[1]', subject: 'me@example.com' }),
    /lacks "client_email" or "private_key"/,
  ],
  ['no subject', () => ({ serviceAccount: JSON.stringify(key) }), /"subject" must be the address/],
  ['no PEM', () => ({ ...serviceSecrets(), serviceAccount: withKey('hidden') }), /no RSA private key in PEM/],
  ['another kind of key', () => ({ ...serviceSecrets(), serviceAccount: withKey(newKey('ed25519')) }), /no RSA/],
])('an api key with %s is no account, and nothing of it is told', (_what, secrets, message) => {
  const read = () => readAccount(secrets());
  expect(read).toThrow(Misconfigured);
  expect(read).toThrow(message);
  expect(read).not.toThrow(/hidden/);
});

test('a host whose api key is no account ends and says why', async () => {
  const secrets = { serviceAccount: '-----BEGIN hidden', subject: 'me@example.com' };
  await using host = await startGmailHost(gmail, { secrets });
  expect((await host.exited).code).toBe(78);
  expect(host.exit()).toMatchObject({
    reason: 'misconfigured',
    message: expect.stringMatching(/not a JSON object.*PUT \/api\/v1\/api-keys/),
  });
  expect(host.output()).not.toContain('hidden');
});

test('nothing of the machine is taken for credentials', async () => {
  // What Google's own tools leave behind, and what its libraries look for.
  const env = {
    GOOGLE_APPLICATION_CREDENTIALS: '/nonexistent/key.json',
    GCE_METADATA_HOST: new URL(gmail.url).host,
    METADATA_SERVER_DETECTION: 'assume-present',
    GOOGLE_CLOUD_UNIVERSE_DOMAIN: 'elsewhere.test',
    HOME: '/nonexistent',
  };
  await withHost({ env, secrets: { ...gmailSecrets, refreshToken: 'refresh-wrong' } }, async call => {
    expect((await call()).text).toMatch(/invalid_grant/);
    expect((await gmail.calls()).map(({ path }) => path)).toEqual(['/token']);
  });
});
