import { z } from 'zod';
import { secretValue } from './values.ts';

/** What goes into a vendor URL as the mailbox: "me" or an address, no slashes and no dots alone. */
const mailbox = /^(me|[^\s@/\\<>,;"]+@[^\s@/\\<>,;"]+)$/;

export const gmailConfig = z
  .strictObject({
    readOnly: z
      .boolean()
      .default(true)
      .describe('Offer only tools that change nothing; false adds labels and drafts. Wins over everything else'),
    allowSend: z
      .boolean()
      .default(false)
      .describe('Also offer to send mail and to move it to the trash; needs readOnly: false'),
    user: z
      .string()
      .min(1)
      .max(320, { abort: true })
      .regex(mailbox, 'must be "me" or an email address')
      .default('me')
      .describe('The mailbox: an address, or "me" for that of the key'),
  })
  .refine(({ readOnly, allowSend }) => !(readOnly && allowSend), {
    path: ['allowSend'],
    message: 'needs readOnly: false as well; while readOnly is true (the default), nothing can be sent or trashed',
  });
export type GmailConfig = z.infer<typeof gmailConfig>;

function isServiceAccount(text: string): boolean {
  try {
    const account = JSON.parse(text) as Record<string, unknown> | null;
    return typeof account?.['client_email'] === 'string' && typeof account['private_key'] === 'string';
  } catch {
    return false;
  }
}

export const gmailKey = z.union([
  z.strictObject({
    clientId: secretValue.describe('The OAuth client of a Google Cloud project'),
    clientSecret: secretValue,
    refreshToken: secretValue.describe('With a Gmail scope; those of apps in testing end after seven days'),
  }),
  z.strictObject({
    serviceAccount: secretValue
      .refine(isServiceAccount, 'must be the whole JSON key file of a service account, as a string')
      .describe('The JSON key of a service account with domain-wide delegation'),
    subject: secretValue.describe('The address of the user it acts for'),
  }),
]);
