import { deflateSync } from 'node:zlib';
import type { GetImageFillsResponse, GetImagesResponse } from '@figma/rest-api-spec';
import type { VendorCall, VendorReply } from '../vendor.ts';
import { heroRef } from './designs.ts';
import { failed, notFound, ok } from './reply.ts';
import type { State } from './state.ts';

/** Enough of a PNG to be known as one, and of any size. */
const png = (bytes: number): Buffer =>
  Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), Buffer.alloc(bytes - 8, 7)]);

const files: Readonly<Record<string, Buffer>> = {
  png: png(600),
  jpg: Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.alloc(200)]),
  svg: Buffer.from('<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="24"><path d="M0 0"/></svg>'),
  pdf: Buffer.concat([Buffer.from('%PDF-1.7\n'), deflateSync(Buffer.alloc(100))]),
  big: png(4 * 1024 * 1024),
  two: png(2.5 * 1024 * 1024),
  html: Buffer.from('<html>login</html>'),
};

/** GET /v1/images/{key}: answers where the renderings are. */
export function renderNodes({ images }: State, { query, headers }: VendorCall): VendorReply {
  const format = query.get('format') ?? 'png';
  const ids = (query.get('ids') ?? '').split(',');
  if (!['png', 'jpg', 'svg', 'pdf'].includes(format)) return failed(400, 'Invalid format');
  const urlOf = (id: string) => images.get(id) ?? `http://${headers.host}/_images/${format}`;
  const body: GetImagesResponse = {
    err: null,
    images: Object.fromEntries(ids.map(id => [id, id.startsWith('404:') ? null : urlOf(id)])),
  };
  return ok(body);
}

/** GET /v1/files/{key}/images */
export function listFills({ images }: State, { headers }: VendorCall): VendorReply {
  const body: GetImageFillsResponse = {
    error: false,
    status: 200,
    meta: { images: { [heroRef]: images.get(heroRef) ?? `http://${headers.host}/_images/jpg` } },
  };
  return ok(body);
}

/** What stands in for Figma's storage: it wants no token. */
export function serveImage({ path, headers, query }: VendorCall): VendorReply {
  if (headers['x-figma-token'] !== undefined) return failed(400, 'A token, where none belongs');
  const name = path.slice('/_images/'.length);
  const location = query.get('to');
  if (location !== null) return { status: 302, body: '', headers: { location } };
  if (name === 'loop') return { status: 302, body: '', headers: { location: '/_images/loop' } };
  const body = files[name];
  return body === undefined ? notFound() : { status: 200, body, headers: { 'content-type': 'binary/octet-stream' } };
}
