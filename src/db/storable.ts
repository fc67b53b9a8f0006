import { toMessage } from '../../specs/message.ts';

/**
 * A value as JSON that PostgreSQL takes: it refuses NUL and half surrogate pairs, and with them the whole
 * transaction. What comes from a server is made so where it enters; this is the net under all of it.
 */
export function storableJson(value: unknown): string {
  return JSON.stringify(value, (_key, field: unknown) => (typeof field === 'string' ? storableText(field) : field));
}

export function storableText(text: string): string {
  return text.includes('\0') || !text.isWellFormed() ? toMessage(text) : text;
}
