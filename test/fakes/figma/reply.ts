import type { VendorCall, VendorReply } from '../vendor.ts';

export const ok = (body: unknown): VendorReply => ({ status: 200, body });

/** As the files and images endpoints say it. */
export const failed = (status: number, err: string, headers: Record<string, string> = {}): VendorReply => ({
  status,
  body: { status, err },
  headers,
});

/** As the components, styles and variables endpoints say it. */
export const failedBoolean = (status: number, message: string): VendorReply => ({
  status,
  body: { error: true, status, message },
});

export const notFound = (): VendorReply => failed(404, 'Not found');

/** Page of a team's list, by Figma's cursor: a number that counts on. */
export function takePage<T>(all: readonly T[], { query }: VendorCall): { page: T[]; cursor?: { after: number } } {
  const size = Number(query.get('page_size') ?? 30);
  const after = Number(query.get('after') ?? 0);
  const page = all.slice(after, after + size);
  return { page, ...(after + size < all.length && { cursor: { after: after + size } }) };
}
