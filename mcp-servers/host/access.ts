import { hash, timingSafeEqual } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import { loopbackOfAll } from '../../specs/address.ts';

const bearer = /^Bearer +([^\s]{1,4096}) *$/i;

/** The token of an Authorization header; null without one. A token anywhere else is no token. */
export function bearerToken(authorization: string | undefined): string | null {
  return bearer.exec(authorization ?? '')?.[1] ?? null;
}

/** Whether a token has this SHA-256 (hex), in a time that does not depend on where they differ. */
export function tokenMatches(token: string | null, sha256Hex: string): boolean {
  const expected = Buffer.from(sha256Hex, 'hex');
  const presented = hash('sha256', token ?? '', 'buffer');
  return expected.length === presented.length && timingSafeEqual(expected, presented) && token !== null;
}

/**
 * Whether a Host header is one under which a server at host:port may be addressed: a rebound name is none. An
 * address cannot be rebound, so a server on every address takes each of them.
 */
export function guardHost(host: string, port: number): (header: string | undefined) => boolean {
  const bound = host.includes(':') ? `[${host}]` : host.toLowerCase();
  const names = new Set([bound, 'localhost', '127.0.0.1', '[::1]'].map(name => `${name}:${port}`));
  const isOpen = loopbackOfAll(host) !== null;
  return header => {
    const name = header?.toLowerCase() ?? '';
    return names.has(name) || (isOpen && name.endsWith(`:${port}`) && isAddress(name.slice(0, -`:${port}`.length)));
  };
}

function isAddress(name: string): boolean {
  return isIPv4(name) || (name.startsWith('[') && name.endsWith(']') && isIPv6(name.slice(1, -1)));
}

const loopbackOrigin = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i;

/** Whether the page that sends this may talk to us: programs send no Origin, pages only from this machine. */
export function originAllowed(origin: string | undefined): boolean {
  return origin === undefined || loopbackOrigin.test(origin);
}

/** Whether a connection comes from this machine: over loopback, or from an address of its own to the same. */
export function isOwnMachine(peer: { remoteAddress?: string | undefined; localAddress?: string | undefined }): boolean {
  const { remoteAddress, localAddress } = peer;
  if (remoteAddress === undefined) return false;
  return (
    remoteAddress === '::1' || remoteAddress === localAddress || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(remoteAddress)
  );
}
