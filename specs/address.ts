/** What stands for every address of a machine, as a URL writes it, and where the same machine reaches that. */
const loopbacks: ReadonlyMap<string, string> = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['[::]', '::1'],
  ['[::ffff:0:0]', '127.0.0.1'],
]);

/** The loopback address of a listener on every address of its machine; null = it listens on one. */
export function loopbackOfAll(host: string): string | null {
  const url = `http://${host.includes(':') ? `[${host}]` : host}`;
  return URL.canParse(url) ? (loopbacks.get(new URL(url).hostname) ?? null) : null;
}
