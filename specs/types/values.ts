import { z } from 'zod';

/** The token travels with every request: in clear only inside this machine. */
export const tokenUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .max(2048, 'must have at most 2048 characters')
  .refine(text => !isClear(text), 'must be an https URL; http only for localhost, 127.0.0.1 and [::1]');

function isClear(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'http:' && !['localhost', '127.0.0.1', '[::1]'].includes(hostname);
}

export const secretValue = z.string().min(1).max(65_536);

export const environmentName = z
  .string()
  .max(256, { abort: true })
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable')
  .refine(name => !/^(MINIMCP_|LD_|NODE_OPTIONS$|PATH$|HOME$)/.test(name), 'is reserved');
