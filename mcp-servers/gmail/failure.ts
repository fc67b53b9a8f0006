import type { Account } from './account.ts';

/** Google answered with something that is not what its API promises. */
export class UnreadableAnswer extends Error {
  override readonly name = 'UnreadableAnswer';
}

/** The arguments fit their schema and still make no sense for this mailbox; the message is for the model. */
export class BadArgument extends Error {
  override readonly name = 'BadArgument';
}

/** No access token could be had; the cause says why. */
export class TokenFailure extends Error {
  override readonly name = 'TokenFailure';
  readonly kind: Account['kind'];
  readonly scope: string;
  constructor(kind: Account['kind'], scope: string, cause: unknown) {
    super('no access token', { cause });
    this.kind = kind;
    this.scope = scope;
  }
}

/** What a GaxiosError carries, structurally: the class itself is loaded only with Google's client. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly headers: Headers;
  /** Parsed where it is JSON. */
  readonly data: unknown;
}

/** Without newlines and of bounded length. */
export function shorten(text: string): string {
  return text.replaceAll(/\s+/g, ' ').slice(0, 500);
}
