import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

export interface PublishedPackage {
  readonly name: string;
  readonly version: string;
  /** Beside package.json, by path. */
  readonly files: Readonly<Record<string, string | Buffer>>;
  /** Of package.json. */
  readonly bin?: string | Record<string, string>;
  readonly dependencies?: Record<string, string>;
}

/** An npm registry of a test's own. */
export interface Registry {
  readonly url: string;
  /** What npm needs to use it and nothing else of the machine. */
  env(home: string): Record<string, string>;
  /** Replaces what was published under the same name. */
  publish(...packages: readonly PublishedPackage[]): void;
  integrity(name: string): string;
  /** Serves the package without an integrity from now on. */
  withholdIntegrity(name: string): void;
  /** Paths of all requests so far. */
  readonly requests: readonly string[];
  /** Answers nothing for these paths until the returned function is called. */
  hold(path: RegExp): () => void;
  /** Answers requests for these paths with a status and this text. */
  refuse(path: RegExp, status: number, text: string): void;
  close(): Promise<void>;
}

export async function startRegistry(): Promise<Registry> {
  const packages = new Map<string, { version: string; about: object; tarball: Buffer; integrity: string }>();
  const requests: string[] = [];
  const holds = new Map<RegExp, Promise<void>>();
  const hashless = new Set<string>();
  const refusals: { path: RegExp; status: number; text: string }[] = [];

  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '');
    requests.push(path);
    void answer(path).then(({ status, body }) => response.writeHead(status).end(body));
  });
  async function answer(path: string): Promise<{ status: number; body: string | Buffer }> {
    for (const [held, released] of holds) if (held.test(path)) await released;
    const refusal = refusals.find(each => each.path.test(path));
    if (refusal !== undefined) return { status: refusal.status, body: refusal.text };
    const [name = '', file] = path.slice(1).split('/-/');
    const found = packages.get(name);
    if (found === undefined) return { status: 404, body: JSON.stringify({ error: 'Not found' }) };
    if (file !== undefined) return { status: 200, body: found.tarball };
    const { version, about, integrity } = found;
    const dist = { tarball: `${url}/${name}/-/package.tgz`, ...(!hashless.has(name) && { integrity }) };
    const body = { name, 'dist-tags': { latest: version }, versions: { [version]: { ...about, dist } } };
    return { status: 200, body: JSON.stringify(body) };
  }
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    url,
    requests,
    withholdIntegrity: name => void hashless.add(name),
    env: home => ({
      HOME: home,
      npm_config_registry: `${url}/`,
      npm_config_cache: `${home}/npm-cache`,
      npm_config_userconfig: `${home}/npmrc`,
      npm_config_globalconfig: `${home}/global-npmrc`,
    }),
    publish(...published) {
      for (const { files, ...about } of published) {
        const tarball = packTar({ 'package.json': JSON.stringify(about), ...files });
        const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
        packages.set(about.name, { version: about.version, about, tarball, integrity });
      }
    },
    integrity: name => packages.get(name)!.integrity,
    hold(path) {
      const { promise, resolve } = Promise.withResolvers<void>();
      holds.set(path, promise);
      return () => {
        holds.delete(path);
        resolve();
      };
    },
    refuse(path, status, text) {
      refusals.push({ path, status, text });
    },
    async close() {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

/** A package as `npm pack` makes it: everything below `package/`. */
function packTar(files: Readonly<Record<string, string | Buffer>>): Buffer {
  const blocks = Object.entries(files).flatMap(([path, content]) => {
    const body = Buffer.from(content);
    return [tarHeader(`package/${path}`, body.length), body, Buffer.alloc((512 - (body.length % 512)) % 512)];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

function tarHeader(path: string, size: number): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, '0')}\0`;
  header.write(path, 0);
  header.write(octal(0o644, 8), 100);
  header.write(octal(0, 8), 108);
  header.write(octal(0, 8), 116);
  header.write(octal(size, 12), 124);
  header.write(octal(0, 12), 136);
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar\u000000', 257);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  return header;
}
