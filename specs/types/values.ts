import { z } from 'zod';

/** The token travels with every request: in clear only inside this machine. */
export const tokenUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .max(2048, 'must have at most 2048 characters')
  .refine(text => !isClear(text), 'must be an https URL; http only for localhost, 127.0.0.1 and [::1]')
  .refine(isBare, 'must have no user name, password, query or fragment');

function isClear(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'http:' && !['localhost', '127.0.0.1', '[::1]'].includes(hostname);
}

/** Paths are put behind it, and fetch takes no credentials in a URL. What is no URL at all is said elsewhere. */
function isBare(text: string): boolean {
  if (!URL.canParse(text)) return true;
  const { username, password } = new URL(text);
  return username === '' && password === '' && !/[?#]/.test(text);
}

export const longestSecret = 65_536;
export const secretValue = z.string().min(1, { abort: true }).max(longestSecret);

/** A token that travels in a header: what was copied with a line break is told when it is stored. */
export const vendorToken = secretValue.regex(
  /^[\x21-\x7e]+$/,
  'must have no spaces, line breaks or other characters than ASCII',
);

export const environmentName = z
  .string()
  .max(256, { abort: true })
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable')
  .refine(name => !/^(MINIMCP_|LD_|NODE_OPTIONS$|PATH$|HOME$)/.test(name), 'is reserved');

const noNul = /^[^\0]*$/;

/** Linux takes 128 KiB, which these many characters are never more than. */
export const longestArgument = 32_768;

/** A word of a command line, or the value of an environment variable. */
export const argument = z.string().max(longestArgument, { abort: true }).regex(noNul, 'must not contain NUL');

export const directory = z
  .string()
  .max(4096, { abort: true })
  .startsWith('/', 'must be an absolute path')
  .regex(noNul, 'must not contain NUL');

export const packageName = z
  .string()
  .max(214, { abort: true })
  .regex(/^(@[a-z0-9~][a-z0-9._~-]*\/)?[a-z0-9~][a-z0-9._~-]*$/, 'must be the name of a package of the npm registry');

export const packageVersion = z
  .string()
  .max(128, { abort: true })
  .regex(
    /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/,
    'must be an exact version such as "1.2.3", no range and no tag',
  );

export const isolation = z
  .enum(['shared', 'session'])
  .default('shared')
  .describe('shared: one child serves every client; session: a child of its own for each legacy session');
