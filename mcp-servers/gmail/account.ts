import { createPrivateKey } from 'node:crypto';
import { Misconfigured } from '../host/program.ts';

/** Who asks Gmail, and by what Google knows it. */
export type Account =
  | { readonly kind: 'user'; readonly clientId: string; readonly clientSecret: string; readonly refreshToken: string }
  | {
      readonly kind: 'service';
      readonly email: string;
      readonly privateKey: string;
      /** The user it acts for. */
      readonly subject: string;
    };

const putKey = 'Store it with PUT /api/v1/api-keys/<name>.';

/** The api key's values as an account; whether Google accepts it shows at the first call. Throws Misconfigured. */
export function readAccount(secrets: Readonly<Record<string, string>>): Account {
  const { clientId, clientSecret, refreshToken, serviceAccount, subject } = secrets;
  if (serviceAccount !== undefined) return readServiceAccount(serviceAccount, subject);
  if (clientId !== undefined && clientSecret !== undefined && refreshToken !== undefined) {
    return { kind: 'user', clientId, clientSecret, refreshToken };
  }
  throw new Misconfigured(
    'A gmail instance needs an api key with the values "clientId", "clientSecret" and "refreshToken", or with "serviceAccount" and "subject".',
  );
}

/** Nothing of a wrong value is repeated in a message: it may hold a key. */
function readServiceAccount(json: string, subject: string | undefined): Account {
  if (subject === undefined || !/^[^\s@]+@[^\s@]+$/.test(subject)) {
    throw new Misconfigured(`The api key's "subject" must be the address of the user to act for. ${putKey}`);
  }
  const { client_email: email, private_key: privateKey } = parseObject(json);
  if (typeof email !== 'string' || typeof privateKey !== 'string') {
    throw new Misconfigured(
      `The api key's "serviceAccount" lacks "client_email" or "private_key": it must be the whole JSON key file of a service account. ${putKey}`,
    );
  }
  if (!isRsaKey(privateKey)) {
    throw new Misconfigured(
      `The "private_key" in the api key's "serviceAccount" is no RSA private key in PEM: copy the JSON key file unchanged. ${putKey}`,
    );
  }
  // Its token_uri is not read: whoever writes the key would choose where this host posts to.
  return { kind: 'service', email, privateKey, subject };
}

function parseObject(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Below.
  }
  throw new Misconfigured(
    `The api key's "serviceAccount" is not a JSON object: it must be the whole JSON key file of a service account. ${putKey}`,
  );
}

function isRsaKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyType === 'rsa';
  } catch {
    return false;
  }
}
