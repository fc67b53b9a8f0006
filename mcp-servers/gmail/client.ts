import type { gmail_v1 } from '@googleapis/gmail';
import { createCredentials } from './credentials.ts';
import type { CredentialsOptions } from './credentials.ts';
import { UnreadableAnswer } from './failure.ts';

export interface GmailApi {
  readonly users: gmail_v1.Resource$Users;
  /** The mailbox, for every request. */
  readonly userId: string;
}

export interface GmailAccess extends CredentialsOptions {
  readonly userId: string;
  /** In place of Google's, with its path; null = Google's. */
  readonly apiUrl: string | null;
}

/** Loaded at the first call: neither the handshake nor the list of tools needs Google's client. */
export async function createClient(access: GmailAccess): Promise<GmailApi> {
  const { gmail, auth } = await import('@googleapis/gmail');
  const credentials = createCredentials(auth, access);
  type AuthClient = InstanceType<typeof auth.OAuth2>;
  type Request = Parameters<AuthClient['request']>[0];

  /** What the client calls in place of a request of its own. */
  async function request<T>(asked: Request) {
    const url = access.apiUrl === null ? asked.url : rebase(String(asked.url), access.apiUrl);
    const ask = async (authorization: Headers) => {
      const headers = new Headers(asked.headers);
      for (const [name, value] of authorization) headers.set(name, value);
      return credentials.transporter.request<T>({ ...asked, ...(url !== undefined && { url }), headers });
    };
    const first = await credentials.getHeaders(asked.signal);
    const response = await ask(first).catch(async (error: unknown) => {
      // Revoked or ended early: nothing has happened yet, so a fresh token may ask again, once.
      if ((error as { status?: unknown }).status !== 401) throw error;
      credentials.drop(first);
      return ask(await credentials.getHeaders(asked.signal));
    });
    // Google's client hands out what is no JSON as text or bytes, without an error.
    if (!isPlainObject(response.data)) throw new UnreadableAnswer("Gmail's answer was cut off.");
    return response;
  }

  const client = gmail({
    version: 'v1',
    // The type asks for a whole client, of which nothing else is used.
    auth: { request } as unknown as AuthClient,
    retry: false,
    universeDomain: 'googleapis.com',
  });
  return { users: client.users, userId: access.userId };
}

function isPlainObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function rebase(url: string, base: string): string {
  const { pathname, search } = new URL(url);
  return `${base.replace(/\/+$/, '')}${pathname}${search}`;
}
