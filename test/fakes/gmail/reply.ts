import type { VendorReply } from '../vendor.ts';

export const ok = (body: object): VendorReply => ({ status: 200, body });

/** As Google's APIs refuse: the reason in the older style, and as a detail in the newer. */
export function failed(
  code: number,
  reason: string,
  message: string,
  { status = 'UNKNOWN', headers = {} }: { status?: string; headers?: Record<string, string> } = {},
): VendorReply {
  const errors = [{ message, domain: 'global', reason }];
  return { status: code, body: { error: { code, message, errors, status } }, headers };
}

/** RFC 6749, 5.2. */
export const oauthFailed = (status: number, error: string, description: string): VendorReply => ({
  status,
  body: { error, error_description: description },
});

export const notFound = (): VendorReply => failed(404, 'notFound', 'Requested entity was not found.');
export const invalid = (message: string): VendorReply =>
  failed(400, 'invalidArgument', message, { status: 'INVALID_ARGUMENT' });
