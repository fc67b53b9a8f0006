import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { heroRef } from '../fakes/figma/designs.ts';
import { connectModern } from '../support/clients.ts';
import { landing, startFakeFigma, startFigmaHost } from '../support/figma.ts';
import type { FakeFigma } from '../support/figma.ts';
import type { TestHost } from '../support/host.ts';

const fileKey = landing(0);

let figma: FakeFigma;
let host: TestHost;
let client: Awaited<ReturnType<typeof connectModern>>;
beforeAll(async () => {
  figma = await startFakeFigma();
  host = await startFigmaHost(figma);
  client = await connectModern(host);
});
afterAll(async () => {
  await client.close();
  await Promise.all([host.dispose(), figma[Symbol.asyncDispose]()]);
});
beforeEach(async () => {
  await figma.fail(null);
  await figma.forgetCalls();
});

interface Answer {
  content: {
    type: string;
    text?: string;
    data?: string;
    mimeType?: string;
    resource?: { uri: string; mimeType: string; text?: string; blob?: string };
  }[];
  isError?: boolean;
}

const ask = async (args: Record<string, unknown>): Promise<Answer> =>
  (await client.callTool({ name: 'download_figma_images', arguments: args })) as unknown as Answer;

const outcomes = ({ content }: Answer) =>
  (JSON.parse(content[0]!.text!) as { images: Record<string, unknown>[] }).images;

test('nodes are rendered and come with the answer, without the token', async () => {
  const answer = await ask({ fileKey, nodeIds: ['1:1', '1-60', '404:1'], scale: 2 });
  expect(outcomes(answer)).toMatchObject([
    { nodeId: '1:1', status: 'included', mimeType: 'image/png', bytes: 600 },
    { nodeId: '1:60', status: 'included' },
    { nodeId: '404:1', status: 'failed', note: expect.stringContaining('could not render') },
  ]);
  expect(answer.content.slice(1).map(({ type, mimeType }) => [type, mimeType])).toEqual([
    ['image', 'image/png'],
    ['image', 'image/png'],
  ]);
  expect(Buffer.from(answer.content[1]!.data!, 'base64')).toHaveLength(600);
  const [render, ...downloads] = await figma.calls();
  expect(render!.path).toBe(`/v1/images/${fileKey}`);
  expect(Object.fromEntries(new URLSearchParams(render!.query))).toEqual({
    ids: '1:1,1:60,404:1',
    format: 'png',
    scale: '2',
  });
  expect(downloads).toHaveLength(2);
  expect(downloads.every(({ headers, status }) => headers['x-figma-token'] === undefined && status === 200)).toBe(true);
});

test('SVG and PDF are resources', async () => {
  const svg = await ask({ fileKey, nodeIds: ['1:11'], format: 'svg' });
  expect(svg.content[1]!.resource).toMatchObject({
    uri: `figma://${fileKey}/1-11.svg`,
    mimeType: 'image/svg+xml',
    text: expect.stringContaining('<path'),
  });
  expect((await figma.calls())[0]!.query).not.toContain('scale');
  const pdf = await ask({ fileKey, nodeIds: ['1:11'], format: 'pdf' });
  expect(pdf.content[1]!.resource).toMatchObject({ mimeType: 'application/pdf', blob: expect.any(String) });
});

test('image fills come by their ref', async () => {
  const answer = await ask({ fileKey, imageRefs: [heroRef, 'no-such-ref'] });
  expect(outcomes(answer)).toMatchObject([
    { imageRef: heroRef, status: 'included', mimeType: 'image/jpeg' },
    { imageRef: 'no-such-ref', status: 'failed', note: expect.stringContaining('no image fill') },
  ]);
  expect((await figma.calls())[0]!.path).toBe(`/v1/files/${fileKey}/images`);
});

test('images come as URLs where that is asked', async () => {
  const answer = await ask({
    fileKey: `https://www.figma.com/design/${fileKey}/N?node-id=1-1`,
    format: 'jpg',
    deliver: 'urls',
  });
  expect(outcomes(answer)).toEqual([
    { nodeId: '1:1', status: 'url', url: `${figma.url}/_images/jpg`, expires: '30 days from now' },
  ]);
  expect(await figma.calls()).toHaveLength(1);
});

test('images are left at their URL when they are too large, alone or together', async () => {
  for (const id of ['2:1', '2:2', '2:3', '2:4', '2:5']) {
    await figma.control('PUT', 'image', { of: id, url: `${figma.url}/_images/${id === '2:1' ? 'big' : 'two'}` });
  }
  const nodeIds = ['2:1', '2:2', '2:3', '2:4', '2:5'];
  const answer = await ask({ fileKey, nodeIds });
  expect(outcomes(answer)).toMatchObject([
    { status: 'url', note: expect.stringMatching(/Over 3 MiB.*smaller scale/), url: `${figma.url}/_images/big` },
    { status: 'included' },
    { status: 'included' },
    { status: 'included' },
    { status: 'url', note: expect.stringContaining('fill this answer') },
  ]);
  expect(answer.content).toHaveLength(4);
});

test('images are not got from wherever an answer leads', async () => {
  const places: [string, string, RegExp][] = [
    ['3:1', 'http://169.254.169.254/latest/meta-data', /not downloaded from/],
    ['3:2', 'https://127.0.0.1/x', /not downloaded from/],
    ['3:3', `${figma.url}/_images/png?to=http://127.0.0.2:80/x`, /not downloaded from/],
    ['3:4', `${figma.url}/_images/loop`, /redirected too often/],
    ['3:5', `${figma.url}/_images/html`, /no image/],
    ['3:6', `${figma.url}/_images/gone`, /could not be downloaded \(404\)/],
    ['3:7', 'file:///etc/passwd', /not downloaded from/],
    ['3:8', 'no url', /could not render/],
  ];
  for (const [of, url] of places) await figma.control('PUT', 'image', { of, url });
  const answer = await ask({ fileKey, nodeIds: places.map(([id]) => id) });
  expect(answer.isError).toBe(true);
  expect(answer.content).toHaveLength(1);
  for (const [index, outcome] of outcomes(answer).entries()) {
    expect(outcome).toMatchObject({ status: 'failed', note: expect.stringMatching(places[index]![2]) });
  }
  // One redirect within the fake's own origin is followed.
  await figma.control('PUT', 'image', { of: '3:9', url: `${figma.url}/_images/png?to=/_images/jpg` });
  const moved = await ask({ fileKey, nodeIds: ['3:9'] });
  expect(outcomes(moved)).toMatchObject([{ status: 'included', mimeType: 'image/jpeg' }]);
});

test('images that break off are told as such', async () => {
  await figma.fail({ kind: 'truncated', path: '_images' });
  const answer = await ask({ fileKey, nodeIds: ['1:1'] });
  expect(outcomes(answer)).toMatchObject([{ status: 'failed', note: expect.stringContaining('cut off') }]);
});

test.each([
  { fileKey },
  { fileKey, nodeIds: ['1:1'], format: 'gif' },
  { fileKey, nodeIds: ['1:1'], scale: 5 },
  { fileKey, nodeIds: ['1:1,1:2'] },
  { fileKey, imageRefs: ['https://evil.test/x.png'] },
  { fileKey, imageRefs: ['../../etc/passwd'] },
  { fileKey, nodeIds: Array.from({ length: 21 }, (_, index) => `1:${index}`) },
  { fileKey, nodeIds: Array.from({ length: 20 }, (_, index) => `1:${index}`), imageRefs: [heroRef] },
  { fileKey, nodeIds: ['1:1'], url: 'https://evil.test/x.png' },
])('%o never reach Figma', async args => {
  expect((await ask(args)).isError).toBe(true);
  expect(await figma.calls()).toEqual([]);
});
