import { z } from 'zod';

export interface Address {
  readonly name: string;
  readonly address: string;
}

/** Of one mail, all kinds together. */
export const maxRecipients = 100;

/** Strict on purpose: no quoted local parts, groups, comments or routes, which mail programs read differently. */
const addressPattern = /^[^\s@<>()[\]\\,;:"]{1,64}@(?=.{1,255}$)[\p{L}\p{N}-]+(\.[\p{L}\p{N}-]+)+$/u;
/** Anything that could end a header's line or hide text. */
const noControls = /^\P{Cc}*$/u;

/** `anna@example.com` or `Anna <anna@example.com>`; null for anything else. */
export function parseAddress(text: string): Address | null {
  if (!noControls.test(text)) return null;
  const named = /^([^<>]*)<([^<>]+)>$/.exec(text.trim());
  const address = (named?.[2] ?? text).trim();
  if (!addressPattern.test(address)) return null;
  return { name: (named?.[1] ?? '').trim().replace(/^"(.*)"$/, '$1'), address };
}

const recipient = z
  .string()
  .max(500)
  .refine(text => parseAddress(text) !== null, 'must be like anna@example.com or Anna <anna@example.com>');

export const recipients = z.array(recipient).max(maxRecipients).default([]);

/** One line of text, as headers and file names have it. */
export const line = (maxLength: number) =>
  z.string().max(maxLength, { abort: true }).regex(noControls, 'must be one line without control characters');
