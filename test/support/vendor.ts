import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { RecordedCall, VendorFault } from '../fakes/vendor.ts';

export interface FakeVendor<Fault extends VendorFault = VendorFault> {
  readonly url: string;
  /** Lets calls go wrong from now on; null = right again. */
  fail(fault: Fault | null): Promise<void>;
  calls(): Promise<RecordedCall[]>;
  forgetCalls(): Promise<void>;
  /** A command of this fake's own. */
  control(method: string, name: string, body?: object): Promise<unknown>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts test/fakes/<name>/main.ts. */
export async function startFakeVendor<Fault extends VendorFault>(name: string): Promise<FakeVendor<Fault>> {
  const program = resolve(import.meta.dirname, `../fakes/${name}/main.ts`);
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  const exited = once(child, 'exit');
  const [line] = (await once(createInterface(child.stdout!), 'line')) as [string];
  const { url } = JSON.parse(line) as { url: string };
  const control = async (method: string, command: string, body?: object): Promise<unknown> => {
    const init = { method, ...(body !== undefined && { body: JSON.stringify(body) }) };
    return (await fetch(`${url}/_control/${command}`, init)).json();
  };
  return {
    url,
    control,
    async fail(fault) {
      await (fault === null ? control('DELETE', 'fault') : control('PUT', 'fault', fault));
    },
    calls: async () => (await control('GET', 'calls')) as RecordedCall[],
    async forgetCalls() {
      await control('DELETE', 'calls');
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await exited;
    },
  };
}
