import type { GmailFault } from '../fakes/gmail/fault.ts';
import { startHost } from './host.ts';
import type { HostOptions, TestHost } from './host.ts';
import { startFakeVendor } from './vendor.ts';
import type { FakeVendor } from './vendor.ts';

export type FakeGmail = FakeVendor<GmailFault>;

export const startFakeGmail = (): Promise<FakeGmail> => startFakeVendor('gmail');

/** The values of an api key that the fake's token endpoint accepts, with gmail.modify. */
export const gmailSecrets = {
  clientId: 'client-1.apps.test',
  clientSecret: 'secret-of-client-1',
  refreshToken: 'refresh-modify',
};

/** A gmail host in front of the fake, with everything allowed unless the config says otherwise. */
export function startGmailHost(gmail: FakeGmail, options: HostOptions = {}): Promise<TestHost> {
  return startHost({
    type: 'gmail',
    config: { readOnly: false, allowSend: true },
    secrets: gmailSecrets,
    upstreamUrl: gmail.url,
    tokenUrl: `${gmail.url}/token`,
    ...options,
  });
}
