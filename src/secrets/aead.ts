import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const algorithm = 'aes-256-gcm';
const format = 1;
const ivBytes = 12;
const authTagLength = 16;
const overhead = 1 + ivBytes + authTagLength;

/**
 * AES-256-GCM: one format byte, 12 bytes of nonce, 16 bytes of tag, then the ciphertext.
 * `aad` says what the value belongs to; only the same one opens it again.
 */
export function encrypt(key: Buffer, plaintext: Buffer, aad: string): Buffer {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv(algorithm, key, iv, { authTagLength });
  cipher.setAAD(Buffer.from(aad));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([Buffer.of(format), iv, cipher.getAuthTag(), ciphertext]);
}

/** The plaintext; null when key, aad or a single bit is not what it was sealed with. */
export function decrypt(key: Buffer, sealed: Buffer, aad: string): Buffer | null {
  if (sealed.length < overhead || sealed[0] !== format) return null;
  const decipher = createDecipheriv(algorithm, key, sealed.subarray(1, 1 + ivBytes), { authTagLength });
  decipher.setAAD(Buffer.from(aad));
  decipher.setAuthTag(sealed.subarray(1 + ivBytes, overhead));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(overhead)), decipher.final()]);
  } catch {
    return null;
  }
}
