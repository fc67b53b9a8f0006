import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { callTool, connectModern } from '../support/clients.ts';
import type { ToolAnswer } from '../support/clients.ts';
import { landing, large, startFakeFigma, startFigmaHost } from '../support/figma.ts';
import type { FakeFigma } from '../support/figma.ts';
import type { TestHost } from '../support/host.ts';
import { until } from '../support/until.ts';

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

const call = (args: Record<string, unknown>): Promise<ToolAnswer> => callTool(client, 'get_figma_data', args);

async function read(args: Record<string, unknown>): Promise<string> {
  const answer = await call(args);
  expect(answer.isError, answer.text).toBe(false);
  return answer.text;
}

/** What Figma was asked since the test began. */
const asked = async (): Promise<string[]> => (await figma.calls()).map(({ path, query }) => path + query);

describe('the tree', () => {
  test('has layout, texts, styles, components, drawings and images, each once', async () => {
    const text = await read({ fileKey: landing(0) });
    const [request] = await figma.calls();
    expect(request).toMatchObject({ method: 'GET', path: `/v1/files/${landing(0)}`, query: '', body: null });
    expect(request!.headers['x-figma-token']).toBe('figd_testtoken');
    expect(text).toContain(`file: "Landing page" key=${landing(0)} version=100 modified=2026-11-01T12:00:00Z`);
    expect(text).toContain(
      'FRAME "Home" #1:1 column gap=32 padding=48,64 align=center 1440×900 at=100,100 dev=ready-for-dev fill=#FFFFFF',
    );
    expect(text).toContain('FRAME "Cards" #1:5 row justify=space-between fill×hug vars={itemSpacing:VariableID:3:2}');
    expect(text).toContain('  t1 "Heading/H1": Inter 700 48/56 spacing=-0.5\n');
    expect(text).toContain('TEXT #1:2 fill×hug font=t1 fill=f2 text="Ship faster"');
    expect(text).toContain('  x1: 700 underline link=https://docs.test\n');
    expect(text).toContain('text="Read the {x1}docs{/} or ask us"');
    expect(text).toMatch(/ {2}(e\d) "Elevation\/Card": shadow\(0 4 12 #00000040\)\n[^]*radius=8 .*effect=\1\n/);
    expect(text).toMatch(/ {2}f\d "Brand\/Primary": #0055FF var=VariableID:3:1\n/);
    expect(text).toContain('#20:2 "Kind=Primary" of "Button" key=key-of-primary – "The one action of a screen"');
    expect(text).toContain('of=20:2 row hug×hug props={Kind:"Primary", Label:"Start", Icon:false}');
    expect(text).toContain('defines={Kind:variant(Primary|Quiet)="Primary", Label:text="Label"}');
    expect(text).toContain('SVG "icon/rocket" #1:11 (3 shapes) 24×24\n');
    expect(text).toContain(
      'fill=[linear-gradient(0,0.5 to 1,0.5: #00000000 0%, #000000 100%) opacity=0.5 + image(ref=a1b2c3d4e5f60718293a4b5c6d7e8f9001122334 fill)]',
    );
    // Nine texts have the same font and color, three cards the same look.
    expect(text.match(/: Inter 400 16\/24/g)).toHaveLength(1);
    expect(text.match(/: #111111/g)).toHaveLength(1);
    expect(text.match(/: #F7F7F9/g)).toHaveLength(1);
    expect(text).not.toMatch(/Old hero|Secret|flame/);
    expect(text).toContain('4 invisible nodes and 9 shapes within drawings left out');
    expect(text).not.toContain('truncated');
  });

  test('is a tenth of what Figma sends, and says so', async () => {
    const text = await read({ fileKey: landing(1) });
    const [, shown, total, here, raw] = /size: (\d+) of (\d+) nodes, (\d+) bytes here; (\d+) bytes/
      .exec(text)!
      .map(Number);
    expect(shown).toBe(total);
    expect(here).toBeGreaterThan(1000);
    expect(raw! / here!).toBeGreaterThan(8);
  });

  test('of nodes, by ids of either form or by URL, with depth', async () => {
    const text = await read({ fileKey: landing(2), nodeId: '1-10, 1:20' });
    expect(text).toMatch(/nodes:\nFRAME "Card 1" #1:10 .*\n[^]*\nFRAME "Card 2" #1:20 /);
    expect(text).not.toContain('Card 3');
    const url = `https://www.figma.com/design/${landing(2)}/Landing?node-id=20-1&p=f`;
    expect(await read({ fileKey: url, depth: 1 })).toMatch(
      /COMPONENT_SET "Button" #20:1 [^]*COMPONENT "Kind=Quiet" #20:3 [^]*depth: only 1 levels were read/,
    );
    expect(await asked()).toEqual([
      `/v1/files/${landing(2)}/nodes?ids=1%3A10%2C1%3A20`,
      `/v1/files/${landing(2)}/nodes?ids=20%3A1&depth=1`,
    ]);
  });

  test('says which nodes there are none of', async () => {
    const some = await read({ fileKey: landing(3), nodeId: '1:10,77:7' });
    expect(some).toContain('missing: no node 77:7 in this file');
    const none = await call({ fileKey: landing(3), nodeId: '77:7' });
    expect(none).toEqual({ isError: true, text: expect.stringMatching(/no node 77:7.*depth 2/) });
  });
});

describe('a large design', () => {
  test('comes from above, and is paged through without reading the file again', async () => {
    const fileKey = large(0);
    const first = await read({ fileKey, maxNodes: 50 });
    expect(first).toContain('size: 50 of 4045 nodes');
    expect(first).toContain('truncated: 3995 nodes left out. Ask with the #id');
    expect(first).toContain('PAGE "Page 4" #0:4\n');
    const [, left, nodeId, offset] = /… (\d+) more children \(\d+ nodes\): nodeId=([\d:]+) offset=(\d+)/.exec(first)!;
    const next = await read({ fileKey, nodeId, offset: Number(offset), depth: 1 });
    const rows = next.match(/^ {2}(FRAME|TEXT) /gm) ?? [];
    expect(rows).toHaveLength(Number(left));
    expect(next).toMatch(new RegExp(`size: ${rows.length + 1} of`));
    expect(next).toContain('source: from memory, its version is the current one');
    const inside = /#(\d+:0) .*\(\+100 inside\)/.exec(first)![1]!;
    expect(await read({ fileKey, nodeId: inside })).toContain('size: 101 of 101 nodes');
    expect(await asked()).toEqual([`/v1/files/${fileKey}`, `/v1/files/${fileKey}/meta`, `/v1/files/${fileKey}/meta`]);
  });

  test('keeps to the bytes, and cuts long texts', async () => {
    const text = await read({ fileKey: large(1), maxBytes: 5000 });
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(5000);
    expect(text).toContain('truncated: ');
    const cut = await read({ fileKey: large(1), nodeId: '100:2', maxTextLength: 10 });
    expect(cut).toContain('text="Cell 100.0"[10 of 12 characters]');
  });

  test('nested deeper than a call stack is read all the same', async () => {
    const text = await read({ fileKey: 'Deep00001' });
    expect(text).toMatch(/size: \d+ of 60002 nodes/);
  });

  test('is not read when it is too large', async () => {
    await figma.fail({ kind: 'huge' });
    const answer = await call({ fileKey: large(2) });
    expect(answer).toEqual({ isError: true, text: expect.stringMatching(/over 32 MiB.*depth of 1 or 2.*nodeId/) });
    await figma.fail(null);
    expect((await call({ fileKey: large(2), depth: 1 })).isError).toBe(false);
  });
});

describe('what was read', () => {
  test('stands until the version of the file changes', async () => {
    const fileKey = landing(4);
    const first = await read({ fileKey });
    expect(await read({ fileKey })).toContain('source: from memory');
    expect(await read({ fileKey, nodeId: '1:10' })).toContain('FRAME "Card 1"');
    await figma.control('PUT', 'version', { fileKey });
    const changed = await read({ fileKey });
    expect(changed).toContain('version=101');
    expect(changed).toContain('source: read from Figma');
    expect(changed.split('\n').slice(3)).toEqual(first.split('\n').slice(3));
    const path = `/v1/files/${fileKey}`;
    expect(await asked()).toEqual([path, `${path}/meta`, `${path}/meta`, `${path}/meta`, path]);
  });

  test('with a depth answers no deeper question, but every shallower one', async () => {
    const fileKey = landing(5);
    await read({ fileKey, depth: 3 });
    expect(await read({ fileKey, depth: 2 })).toMatch(/FRAME "Home" #1:1 .*\(\+\d inside\)/);
    expect(await read({ fileKey, nodeId: '0:1', depth: 1 })).toContain('source: from memory');
    await read({ fileKey, nodeId: '1:1', depth: 2 });
    const path = `/v1/files/${fileKey}`;
    expect((await asked()).filter(each => !each.endsWith('/meta'))).toEqual([
      `${path}?depth=3`,
      `${path}/nodes?ids=1%3A1&depth=2`,
    ]);
  });

  test('is read once by many who ask at the same time', async () => {
    const fileKey = landing(6);
    await figma.fail({ kind: 'slow', delayMs: 300, path: `${fileKey}$`, times: 1 });
    const texts = await Promise.all([read({ fileKey }), read({ fileKey }), read({ fileKey, nodeId: '1:5' })]);
    expect(texts[2]).toContain('FRAME "Cards"');
    expect((await asked()).filter(each => each === `/v1/files/${fileKey}`)).toHaveLength(1);
    // The third may have asked before anything was known.
    expect((await asked()).length).toBeLessThanOrEqual(4);
  });

  test('is shown unchecked where the token may not read metadata, and outdated where the limit is used up', async () => {
    const fileKey = landing(7);
    await read({ fileKey });
    await figma.fail({ kind: 'no-scope', path: '/meta$' });
    expect(await read({ fileKey })).toContain('the token lacks file_metadata:read, its version is unchecked');
    await figma.control('PUT', 'version', { fileKey });
    await figma.fail({ kind: 'rate-limit-month', path: `${fileKey}$` });
    const outdated = await read({ fileKey });
    expect(outdated).toMatch(/source: OUTDATED: the file has changed since it was read at 20.*until 20/);
    expect(outdated).toContain('version=100');
    await figma.forgetCalls();
    expect(await read({ fileKey })).toContain('OUTDATED');
    expect(await asked()).toEqual([`/v1/files/${fileKey}/meta`]);
  });

  test('a file that is gone, or a token that is, is not answered from memory', async () => {
    const fileKey = landing(8);
    await read({ fileKey });
    await figma.fail({ kind: 'not-found', path: '/meta$' });
    expect((await call({ fileKey })).text).toMatch(/404/);
    await figma.fail({ kind: 'unauthorized', path: '/meta$' });
    expect((await call({ fileKey })).text).toMatch(/refused the token/);
  });
});

test('when the client goes away, Figma is no longer asked, and the next one is served', async () => {
  const fileKey = landing(9);
  await figma.fail({ kind: 'slow', delayMs: 3000, path: `${fileKey}$`, times: 1 });
  const gone = new AbortController();
  const lost = client.callTool({ name: 'get_figma_data', arguments: { fileKey } }, { signal: gone.signal });
  const outcome = expect(lost).rejects.toThrow();
  await until('Figma is asked', async () => (await asked()).length === 1);
  gone.abort();
  await outcome;
  await until('the request is given up', async () => (await figma.calls())[0]!.aborted);
  expect(await read({ fileKey })).toContain('FRAME "Home"');
});

describe('bad arguments', () => {
  const fileKey = landing(10);
  test.each([
    {},
    { fileKey: '..' },
    { fileKey: 'abc' },
    { fileKey: `${fileKey}/nodes` },
    { fileKey: `${fileKey}%2Fmeta` },
    { fileKey: `${fileKey}?ids=1` },
    { fileKey: 'A'.repeat(129) },
    { fileKey: 'A'.repeat(100_000) },
    { fileKey: `https://evil.test/design/${fileKey}` },
    { fileKey: `https://www.figma.com/design/${fileKey}/N?node-id=x` },
    { fileKey, nodeId: '1' },
    { fileKey, nodeId: '1:2&depth=1' },
    { fileKey, nodeId: Array.from({ length: 21 }, (_, index) => `1:${index}`).join(',') },
    { fileKey, nodeId: '1:10,1:20', offset: 5 },
    { fileKey, nodeIds: ['1:1'] },
    { fileKey, depth: 0 },
    { fileKey, depth: 1.5 },
    { fileKey, maxNodes: 100_000 },
    { fileKey, maxBytes: 10 },
    { fileKey, unknown: true },
  ])('%o never reach Figma', async args => {
    expect((await call(args)).isError).toBe(true);
    expect(await figma.calls()).toEqual([]);
  });
});
