type Falsy = false | null | undefined | 0 | '';

/** Waits until `look` answers something truthy, and answers it; fails with the last answer or error. */
export async function until<T>(
  what: string,
  look: () => Promise<T> | T,
  withinMs = 15_000,
): Promise<Exclude<T, Falsy>> {
  const end = performance.now() + withinMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await look();
      if (value) return value as Exclude<T, Falsy>;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) {
      const said = last instanceof Error ? last.message : JSON.stringify(last);
      throw new Error(`${what}: not within ${withinMs} ms; last: ${said}`);
    }
    await new Promise(resolve => setTimeout(resolve, 10));
  }
}
