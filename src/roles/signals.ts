// A terminal and a supervisor may both pass on one Ctrl-C.
const sameKeyMs = 1_000;

/**
 * Resolves with the first SIGINT, SIGTERM or SIGHUP. `onAgain` is called when one comes a second later or
 * after: somebody does not want to wait.
 */
export function firstSignal(onAgain: () => void): Promise<NodeJS.Signals> {
  return new Promise(resolve => {
    let firstAt: number | undefined;
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(name, () => {
        if (firstAt === undefined) {
          firstAt = performance.now();
          resolve(name);
        } else if (performance.now() - firstAt >= sameKeyMs) {
          onAgain();
        }
      });
    }
  });
}
