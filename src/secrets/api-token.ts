import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** `mmcp_` speaks to the API, `mmci_` to one instance. */
export type TokenPrefix = 'mmcp_' | 'mmci_';

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const secretLength = 30;
const checksumLength = 6;
const shape = /^(mmcp_|mmci_)[0-9A-Za-z]{36}$/;

/** A new token: prefix, 30 random base62 characters (178 bits), 6 of checksum. Shown once, kept as hash. */
export function generateToken(prefix: TokenPrefix): string {
  let text: string = prefix;
  while (text.length < prefix.length + secretLength) {
    for (const byte of randomBytes(secretLength)) {
      // 248 = 4 × 62: the bytes above would make some characters likelier than others.
      if (byte < 248 && text.length < prefix.length + secretLength) text += alphabet[byte % 62];
    }
  }
  return text + checksum(text);
}

/** Whether the text can be such a token at all: told without a query, so that noise costs nothing. */
export function isToken(prefix: TokenPrefix, text: string): boolean {
  if (!shape.test(text) || !text.startsWith(prefix)) return false;
  return text.slice(-checksumLength) === checksum(text.slice(0, -checksumLength));
}

/** SHA-256, what is kept of a token. No slow hash: there is nothing to guess in 178 random bits. */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function checksum(text: string): string {
  let rest = crc32(text);
  let digits = '';
  for (let i = 0; i < checksumLength; i++) {
    digits = alphabet[rest % 62]! + digits;
    rest = Math.floor(rest / 62);
  }
  return digits;
}
