import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Fault } from '../fakes/github/fault.ts';

const program = resolve(import.meta.dirname, '../fakes/github/main.ts');

export interface RecordedCall {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly status: number | null;
  readonly aborted: boolean;
}

export interface FakeGithub {
  readonly url: string;
  /** Lets every call go wrong from now on; null = right again. */
  fail(fault: Fault | null): Promise<void>;
  calls(): Promise<RecordedCall[]>;
  forgetCalls(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startFakeGithub(): Promise<FakeGithub> {
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  const exited = once(child, 'exit');
  const [line] = (await once(createInterface(child.stdout!), 'line')) as [string];
  const { url } = JSON.parse(line) as { url: string };
  const control = (method: string, path: string, body?: object) =>
    fetch(`${url}/_control/${path}`, { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
  return {
    url,
    async fail(fault) {
      await (fault === null ? control('DELETE', 'fault') : control('PUT', 'fault', fault));
    },
    calls: async () => (await (await control('GET', 'calls')).json()) as RecordedCall[],
    async forgetCalls() {
      await control('DELETE', 'calls');
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await exited;
    },
  };
}
