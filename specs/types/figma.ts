import { z } from 'zod';
import { secretValue, tokenUrl } from './values.ts';

export const figmaConfig = z.strictObject({
  readOnly: z.boolean().default(false).describe('Offer only tools that change nothing'),
  baseUrl: tokenUrl.optional().describe('Base URL of the Figma API, for a proxy or a test'),
});

export const figmaKey = z.strictObject({
  token: secretValue
    .regex(/^[\x21-\x7e]+$/, 'must have no spaces, line breaks or other characters than ASCII')
    .describe('A personal access token of Figma'),
});
