import { z } from 'zod';
import { secretValue, tokenUrl } from './values.ts';

export const githubToolsets = ['context', 'repos', 'issues', 'pull_requests', 'users', 'actions'] as const;

export const githubConfig = z.strictObject({
  readOnly: z.boolean().default(false).describe('Offer only tools that change nothing'),
  toolsets: z
    .array(z.enum(githubToolsets))
    .min(1)
    .max(64)
    .default([...githubToolsets])
    .describe('Groups of tools to offer'),
  baseUrl: tokenUrl
    .refine(isBare, 'must have no user name, password, query or fragment')
    .optional()
    .describe('API base URL of a GitHub Enterprise server, such as https://github.example.com/api/v3'),
});

export const githubKey = z.strictObject({ token: secretValue.describe('A personal access token') });

/** Paths are put behind it, and fetch takes no credentials in a URL. What is no URL at all is said elsewhere. */
function isBare(text: string): boolean {
  if (!URL.canParse(text)) return true;
  const { username, password } = new URL(text);
  return username === '' && password === '' && !/[?#]/.test(text);
}
