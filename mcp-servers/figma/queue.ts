/** Lets one at a time have the same thing, so that who asks for it meanwhile finds it done. */
export interface Queue {
  /** Rejects with the signal's reason when it aborts before the turn has come. */
  run<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

export function createQueue(): Queue {
  const last = new Map<string, Promise<void>>();
  return {
    async run(key, signal, work) {
      const before = last.get(key);
      const turn = Promise.withResolvers<void>();
      const mine = settle(before, turn.promise);
      last.set(key, mine);
      try {
        if (before !== undefined) await orAborted(before, signal);
        return await work();
      } finally {
        turn.resolve();
        // Not before the last in line is through.
        void mine.finally(() => last.get(key) === mine && last.delete(key));
      }
    },
  };
}

function orAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  return Promise.race([promise, aborted.promise]).finally(() => signal.removeEventListener('abort', abort));
}

async function settle(before: Promise<void> | undefined, turn: Promise<void>): Promise<void> {
  await before;
  await turn;
}
