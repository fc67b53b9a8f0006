import { createPublicKey, generateKeyPairSync, randomUUID, verify } from 'node:crypto';
import type { VendorReply } from '../vendor.ts';
import { oauthFailed, ok } from './reply.ts';

const audience = 'https://oauth2.googleapis.com/token';
const scopes = {
  read: 'https://www.googleapis.com/auth/gmail.readonly',
  modify: 'https://www.googleapis.com/auth/gmail.modify',
};

/** The client and the grants that the endpoint knows; every other is refused as Google does. */
const client = { id: 'client-1.apps.test', secret: 'secret-of-client-1' };
const refreshTokens = new Map([
  ['refresh-modify', scopes.modify],
  ['refresh-read', scopes.read],
]);
/** Whom the service account may act for, and with what. */
const delegation = { subject: 'me@example.com', scopes: new Set([scopes.modify, scopes.read]) };

export interface Tokens {
  /** POST /token with its form. */
  grant(form: URLSearchParams): VendorReply;
  /** The scope of a valid access token; null for any other. */
  scopeOf(authorization: string | undefined): string | null;
  /** The JSON key file of the service account; its private key exists only here. */
  serviceAccount(): object;
  revokeAll(): void;
  setLifetime(seconds: number): void;
}

export function createTokens(): Tokens {
  const issued = new Map<string, { scope: string; until: number }>();
  let lifetimeS = 3600;
  // Made when a test first asks: most need none, and it takes a while.
  let pem: string | null = null;
  const privateKey = (): string =>
    (pem ??= generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    }).privateKey);
  const email = 'robot@project-1.iam.test';

  const issue = (scope: string): VendorReply => {
    const token = `ya29.${randomUUID()}`;
    issued.set(token, { scope, until: Date.now() + lifetimeS * 1000 });
    return ok({ access_token: token, expires_in: lifetimeS, token_type: 'Bearer', scope });
  };

  function grantAssertion(assertion: string): VendorReply {
    const [header, payload, signature] = assertion.split('.').map(part => Buffer.from(part, 'base64url'));
    const signed = Buffer.from(assertion.slice(0, assertion.lastIndexOf('.')));
    const valid = verify('RSA-SHA256', signed, createPublicKey(privateKey()), signature ?? Buffer.alloc(0));
    if (!valid) return oauthFailed(400, 'invalid_grant', 'Invalid JWT Signature.');
    const { alg } = JSON.parse(String(header)) as { alg: string };
    const claims = JSON.parse(String(payload)) as Record<'iss' | 'aud' | 'sub', string> & {
      scope: string | string[];
      exp: number;
      iat: number;
    };
    const nowS = Date.now() / 1000;
    const scope = String(claims.scope);
    if (alg !== 'RS256' || claims.iss !== email) return oauthFailed(400, 'invalid_grant', 'Invalid issuer.');
    if (claims.aud !== audience) return oauthFailed(400, 'invalid_grant', 'Invalid JWT: Failed audience check.');
    if (claims.exp < nowS || claims.exp - claims.iat > 3600) {
      return oauthFailed(400, 'invalid_grant', 'Invalid JWT: Token must be a short-lived token (60 minutes).');
    }
    if (claims.sub !== delegation.subject) return oauthFailed(400, 'invalid_grant', 'Invalid email or User ID');
    if (!delegation.scopes.has(scope)) return oauthFailed(401, 'unauthorized_client', 'Client is unauthorized.');
    return issue(scope);
  }

  return {
    grant(form) {
      const type = form.get('grant_type');
      if (type === 'urn:ietf:params:oauth:grant-type:jwt-bearer') return grantAssertion(form.get('assertion') ?? '');
      if (type !== 'refresh_token') return oauthFailed(400, 'unsupported_grant_type', 'Invalid grant_type');
      if (form.get('client_id') !== client.id) {
        return oauthFailed(401, 'invalid_client', 'The OAuth client was not found.');
      }
      if (form.get('client_secret') !== client.secret) return oauthFailed(401, 'invalid_client', 'Unauthorized');
      const scope = refreshTokens.get(form.get('refresh_token') ?? '');
      return scope === undefined ? oauthFailed(400, 'invalid_grant', 'Bad Request') : issue(scope);
    },
    scopeOf(authorization) {
      const token = issued.get(/^Bearer (.+)$/.exec(authorization ?? '')?.[1] ?? '');
      return token === undefined || token.until < Date.now() ? null : token.scope;
    },
    serviceAccount: () => ({
      type: 'service_account',
      project_id: 'project-1',
      private_key_id: '1',
      private_key: privateKey(),
      client_email: email,
      client_id: '1',
      // Not to be asked: whoever writes the key file would choose it.
      token_uri: 'http://127.0.0.1:9/token',
    }),
    revokeAll: () => issued.clear(),
    setLifetime(seconds) {
      lifetimeS = seconds;
    },
  };
}

/** Everything but reading needs gmail.modify. */
export function allows(scope: string, method: string): boolean {
  return method === 'GET' || scope === scopes.modify;
}
