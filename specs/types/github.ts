import { z } from 'zod';
import { tokenUrl, vendorToken } from './values.ts';

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
    .optional()
    .describe('API base URL of a GitHub Enterprise server, such as https://github.example.com/api/v3'),
});

export const githubKey = z.strictObject({ token: vendorToken.describe('A personal access token') });
