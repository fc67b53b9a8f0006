import type { Octokit } from '@octokit/rest';
import { UnreadableAnswer } from './errors.ts';

export interface GithubAccess {
  readonly token: string;
  /** Null = github.com. */
  readonly baseUrl: string | null;
}

/** Loaded at the first call: neither the handshake nor the list of tools needs Octokit or fetch. */
export async function createClient({ token, baseUrl }: GithubAccess): Promise<Octokit> {
  const { Octokit: Client } = await import('@octokit/rest');
  const silent = () => {};
  const client = new Client({
    auth: token,
    userAgent: 'minimcp',
    log: { debug: silent, info: silent, warn: silent, error: silent },
    ...(baseUrl !== null && { baseUrl: baseUrl.replace(/\/+$/, '') }),
  });
  // Octokit hands out JSON that does not parse as a plain string, without an error.
  client.hook.after('request', response => {
    const json = response.headers['content-type']?.startsWith('application/json') === true;
    if (json && typeof response.data === 'string') throw new UnreadableAnswer("GitHub's answer was cut off.");
  });
  return client;
}
