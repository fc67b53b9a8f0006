import { z } from 'zod';
import { tokenUrl, vendorToken } from './values.ts';

export const figmaConfig = z.strictObject({
  readOnly: z.boolean().default(false).describe('Offer only tools that change nothing'),
  baseUrl: tokenUrl.optional().describe('Base URL of the Figma API, for a proxy or a test'),
});

export const figmaKey = z.strictObject({
  token: vendorToken.describe('A personal access token of Figma'),
});
