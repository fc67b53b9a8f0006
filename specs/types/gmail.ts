import { z } from 'zod';
import { secretValue } from './values.ts';

export const gmailConfig = z.strictObject({
  readOnly: z.boolean().default(true).describe('Offer only tools that change nothing'),
  allowSend: z.boolean().default(false).describe('Offer the tools by which something leaves the mailbox'),
  user: z.string().min(1).max(320).default('me').describe('The mailbox: an address, or "me" for that of the key'),
});
export type GmailConfig = z.infer<typeof gmailConfig>;

export const gmailKey = z.union([
  z.strictObject({
    clientId: secretValue.describe('The OAuth client of a Google Cloud project'),
    clientSecret: secretValue,
    refreshToken: secretValue.describe('With a Gmail scope; those of apps in testing end after seven days'),
  }),
  z.strictObject({
    serviceAccount: secretValue.describe('The JSON key of a service account with domain-wide delegation'),
    subject: secretValue.describe('The address of the user it acts for'),
  }),
]);
