import type { auth as googleAuth } from '@googleapis/gmail';
import type { Account } from './account.ts';
import { TokenFailure, UnreadableAnswer } from './failure.ts';
import { fetchBounded } from './fetch.ts';

/** Google's own address; the token a service account signs names it, whatever address it is sent to. */
const googleTokenUrl = 'https://oauth2.googleapis.com/token';
/** One refresh serves all calls that wait for it, so it ends by itself, not with one of them. */
const tokenMs = 10_000;

export interface CredentialsOptions {
  readonly account: Account;
  /** What a service account asks for; a refresh token has its scopes already. */
  readonly scope: string;
  /** In place of Google's; null = Google's. */
  readonly tokenUrl: string | null;
}

export interface Credentials {
  /** What sends requests, without credentials of its own. */
  readonly transporter: InstanceType<typeof googleAuth.OAuth2>['transporter'];
  /** With an access token that is fresh and shared by all who wait. Throws TokenFailure. */
  getHeaders(signal: AbortSignal | null | undefined): Promise<Headers>;
  /** Has the next call get a fresh access token, unless another call has replaced this one meanwhile. */
  drop(used: Headers): void;
}

/** Of the account alone: neither files of the machine nor its metadata server are asked. */
export function createCredentials(
  auth: typeof googleAuth,
  { account, scope, tokenUrl }: CredentialsOptions,
): Credentials {
  const client = createAuthClient(auth, account, scope);
  const { transporter } = client;
  const tokensFrom = new URL(tokenUrl ?? googleTokenUrl);
  transporter.interceptors.request.add({
    async resolved(config) {
      if (config.url.href !== googleTokenUrl) return config;
      // Google's client would try again by itself; here waits are for the model to decide.
      const { retryConfig: _retries, ...once } = config;
      return { ...once, retry: false, url: tokensFrom, signal: AbortSignal.timeout(tokenMs) };
    },
  });
  transporter.interceptors.response.add({
    async resolved(response) {
      const { access_token: token } = (response.data ?? {}) as { access_token?: unknown };
      if (response.config.url === tokensFrom && typeof token !== 'string') {
        throw new UnreadableAnswer("Google's token endpoint answered with something else than a token.");
      }
      return response;
    },
  });
  return {
    transporter,
    async getHeaders(signal) {
      try {
        return await unlessAborted(client.getRequestHeaders(), signal ?? undefined);
      } catch (error) {
        throw signal?.aborted === true ? error : new TokenFailure(account.kind, scope, error);
      }
    },
    drop(used) {
      const { access_token: current, refresh_token: refresh } = client.credentials;
      if (used.get('authorization') !== `Bearer ${current}`) return;
      client.setCredentials({ ...(refresh !== undefined && { refresh_token: refresh }), expiry_date: 1 });
    },
  };
}

/** It asks for its first access token when it is first needed. */
function createAuthClient(auth: typeof googleAuth, account: Account, scope: string) {
  const options = {
    transporterOptions: { fetchImplementation: fetchBounded },
    // They log requests and answers where an environment variable says so.
    useAuthRequestParameters: false,
  };
  if (account.kind === 'service') {
    const { email, privateKey: key, subject } = account;
    return new auth.JWT({ ...options, email, key, subject, scopes: [scope] });
  }
  const { clientId, clientSecret, refreshToken } = account;
  const client = new auth.OAuth2({ ...options, clientId, clientSecret });
  client.setCredentials({ refresh_token: refreshToken, expiry_date: 1 });
  return client;
}

/** Stops waiting for something shared, without ending it. */
async function unlessAborted<T>(shared: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return shared;
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([shared, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    // The loser of the race may still fail, with nobody to hear it.
    shared.catch(() => {});
  }
}
