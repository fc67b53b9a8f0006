import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Sighting } from './observer-main.ts';

export interface Observer {
  look(): Promise<Sighting>;
  close(): void;
}

/** Starts an observer of one installation's hosts; `owner` is part of their marker. */
export function startObserver(owner: string): Observer {
  const program = fileURLToPath(new URL('observer-main.ts', import.meta.url));
  const child = spawn(process.execPath, [program, owner], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async look() {
      child.stdin.write('\n');
      const { value } = await lines.next();
      return JSON.parse(String(value)) as Sighting;
    },
    close: () => child.stdin.end(),
  };
}
