import { expect } from 'vitest';
import type { GithubFault } from '../fakes/github/fault.ts';
import type { RecordedCall } from '../fakes/vendor.ts';
import { connectModern } from './clients.ts';
import { startHost } from './host.ts';
import type { HostOptions, TestHost } from './host.ts';
import { startFakeVendor } from './vendor.ts';
import type { FakeVendor } from './vendor.ts';

export type FakeGithub = FakeVendor<GithubFault>;

export const startFakeGithub = (): Promise<FakeGithub> => startFakeVendor('github');

/** The fake's repository with everything in it. */
export const demo = { owner: 'mona', repo: 'demo' };

export interface Page {
  items: Record<string, unknown>[];
  paging: { page: number; perPage: number; nextPage: number | null; totalCount?: number; note?: string };
}

/** A result as a client gets it. */
export interface Result {
  isError?: boolean;
  content: { type: string; text: string }[];
  structuredContent?: Record<string, unknown>;
  _meta?: Record<string, unknown>;
}

type Arguments = Record<string, unknown>;

/** A fake, a host before it, and a client before that. */
export interface GithubBench {
  readonly github: FakeGithub;
  readonly host: TestHost;
  readonly client: Awaited<ReturnType<typeof connectModern>>;
  call(name: string, args?: Arguments, signal?: AbortSignal): Promise<Result>;
  /** The first text block as JSON, of a result that must be none of an error. */
  read<T = Record<string, unknown>>(name: string, args?: Arguments): Promise<T>;
  /** What the tool asked GitHub in this call. */
  ask(name: string, args?: Arguments): Promise<{ result: Result; asked: RecordedCall[] }>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function openGithub(options: HostOptions = {}): Promise<GithubBench> {
  const github = await startFakeGithub();
  const host = await startHost({ upstreamUrl: github.url, ...options });
  const client = await connectModern(host);
  const call: GithubBench['call'] = async (name, args = {}, signal) =>
    (await client.callTool({ name, arguments: args }, signal && { signal })) as unknown as Result;
  return {
    github,
    host,
    client,
    call,
    async read<T>(name: string, args?: Arguments) {
      const result = await call(name, args);
      expect(result.isError, textOf(result)).not.toBe(true);
      return JSON.parse(result.content[0]!.text) as T;
    },
    async ask(name, args) {
      await github.forgetCalls();
      const result = await call(name, args);
      return { result, asked: await github.calls() };
    },
    async [Symbol.asyncDispose]() {
      await client.close();
      await Promise.all([host.dispose(), github[Symbol.asyncDispose]()]);
    },
  };
}

export const textOf = ({ content }: Result): string => content.map(({ text }) => text).join('\n');

/** A request in a line, percent-encoded as it went out. */
export const lineOf = ({ method, rawPath, query }: RecordedCall): string => `${method} ${rawPath}${query}`;
