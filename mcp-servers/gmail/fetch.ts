import { readBounded } from '../tool/body.ts';
import { UnreadableAnswer } from './failure.ts';

/** A message of Gmail's largest size, 50 MB, in base64, does not fit: nobody reads that. */
const maxAnswerBytes = 32 * 1024 * 1024;

/**
 * fetch for Google's client: without redirects, which would carry credentials to wherever they point, and with
 * a bound on what is held in memory. Throws UnreadableAnswer.
 */
export async function fetchBounded(url: string | URL | Request, init: RequestInit = {}): Promise<Response> {
  const { method, headers, body, signal } = init;
  const response = await fetch(url, {
    redirect: 'error',
    ...(method !== undefined && { method }),
    ...(headers !== undefined && { headers }),
    ...(body !== undefined && body !== null && { body, duplex: 'half' }),
    ...(signal !== undefined && { signal }),
  });
  const bytes = await readBounded(response.body, maxAnswerBytes);
  if (bytes === null) throw new UnreadableAnswer("Gmail's answer is too large to read here.");
  const { status, statusText } = response;
  // By its full name: in a bundle the bare one is the host's own, which has no text().
  return new globalThis.Response(bytes.length === 0 ? null : bytes, { status, statusText, headers: response.headers });
}
