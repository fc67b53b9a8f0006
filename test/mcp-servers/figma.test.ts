import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { callTool, connectLegacy, connectModern } from '../support/clients.ts';
import type { ToolAnswer } from '../support/clients.ts';
import { landing, startFakeFigma, startFigmaHost } from '../support/figma.ts';
import type { FakeFigma } from '../support/figma.ts';
import type { TestHost } from '../support/host.ts';

const fileKey = landing(0);

let figma: FakeFigma;
let host: TestHost;
let client: Awaited<ReturnType<typeof connectModern>>;
beforeAll(async () => {
  figma = await startFakeFigma();
  host = await startFigmaHost(figma, { upstreamUrl: 'http://127.0.0.1:9', config: { baseUrl: `${figma.url}/` } });
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

const call = (name: string, args: Record<string, unknown>): Promise<ToolAnswer> => callTool(client, name, args);

interface Answer {
  content: { type: string; text?: string }[];
  structuredContent?: Record<string, unknown>;
  isError?: boolean;
}

const ask = async (name: string, args: Record<string, unknown>): Promise<Answer> =>
  (await client.callTool({ name, arguments: args })) as unknown as Answer;

/** The structured answer, which must be none of an error and the same as the text. */
async function read<T>(name: string, args: Record<string, unknown>): Promise<T> {
  const { structuredContent, content, isError } = await ask(name, args);
  expect(isError ?? false, content[0]?.text).toBe(false);
  expect(JSON.parse(content[0]!.text!)).toEqual(structuredContent);
  return structuredContent as T;
}

interface List {
  items: Record<string, unknown>[];
  paging: { page: number; totalCount: number; nextPage: number | null };
  nextCursor: number | null;
  totalCount: number | null;
}

test('the tools tell what they take, give and change', async () => {
  const { tools } = await client.listTools();
  expect(tools.map(({ name }) => name).toSorted()).toEqual([
    'download_figma_images',
    'get_comments',
    'get_components',
    'get_figma_data',
    'get_file_metadata',
    'get_styles',
    'get_variables',
    'post_comment',
  ]);
  const writing = tools.filter(tool => tool.annotations?.readOnlyHint !== true);
  expect(writing.map(({ name }) => name)).toEqual(['post_comment']);
  for (const tool of tools) {
    expect(tool.description!.length, tool.name).toBeGreaterThan(40);
    for (const [name, schema] of Object.entries(tool.inputSchema.properties ?? {})) {
      expect((schema as { description?: string }).description, `${tool.name}.${name}`).toBeTruthy();
    }
  }
});

test('get_file_metadata', async () => {
  const url = `https://www.figma.com/design/${fileKey}/Landing-page`;
  expect(await read('get_file_metadata', { fileKey: url })).toMatchObject({
    fileKey,
    name: 'Landing page',
    version: '100',
    lastTouchedBy: 'Grace',
    creator: 'Ada',
    folder: 'Marketing',
    role: 'viewer',
  });
  const [request] = await figma.calls();
  expect(request).toMatchObject({ method: 'GET', path: `/v1/files/${fileKey}/meta`, query: '' });
  expect(request!.headers['x-figma-token']).toBe('figd_testtoken');
});

describe('comments', () => {
  test('are listed newest first, by thread, node and page', async () => {
    const all = await read<List>('get_comments', { fileKey, perPage: 2 });
    expect(all.items.map(({ id }) => id)).toEqual(['3', '2']);
    expect(all.items[1]).toMatchObject({
      parentId: '1',
      user: 'Ada',
      message: 'Comment 2',
      nodeId: '1:2',
      x: 10,
      y: 20,
    });
    expect(all.paging).toEqual({ page: 1, totalCount: 3, nextPage: 2 });
    expect((await read<List>('get_comments', { fileKey, perPage: 2, page: 2 })).items).toHaveLength(1);
    expect((await figma.calls())[0]!.query).toBe('?as_md=true');
    const open = await read<List>('get_comments', { fileKey, unresolvedOnly: true });
    expect(open.items.map(({ id }) => id)).toEqual(['2', '1']);
    const onNode = await read<List>('get_comments', { fileKey, nodeId: '1-2' });
    expect(onNode.items.map(({ id }) => id)).toEqual(['2', '1']);
  });

  test('are posted to a node, to a place and as replies', async () => {
    const key = landing(1);
    const posted = await read('post_comment', { fileKey: key, message: ' Too dark ', nodeId: '1-10', x: 3, y: 4 });
    expect(posted).toMatchObject({ id: '4', message: 'Too dark', nodeId: '1:10', x: 3, y: 4, parentId: null });
    await read('post_comment', { fileKey: key, message: 'Here', x: -5, y: 0 });
    expect(await read('post_comment', { fileKey: key, message: 'Agreed', commentId: '4' })).toMatchObject({
      parentId: '4',
      nodeId: '1:10',
    });
    const url = `https://www.figma.com/design/${key}/N?node-id=1-5`;
    await read('post_comment', { fileKey: url, message: 'By URL' });
    const calls = await figma.calls();
    expect(calls.every(({ method, path }) => method === 'POST' && path === `/v1/files/${key}/comments`)).toBe(true);
    expect(calls.map(({ body }) => body)).toEqual([
      { message: 'Too dark', client_meta: { node_id: '1:10', node_offset: { x: 3, y: 4 } } },
      { message: 'Here', client_meta: { x: -5, y: 0 } },
      { message: 'Agreed', comment_id: '4' },
      { message: 'By URL', client_meta: { node_id: '1:5', node_offset: { x: 0, y: 0 } } },
    ]);
    expect((await read<List>('get_comments', { fileKey: key })).items).toHaveLength(7);
  });

  test('are not posted where readOnly is set', async () => {
    await using quiet = await startFigmaHost(figma, { config: { readOnly: true } });
    const restricted = await connectLegacy(quiet);
    const { tools } = await restricted.listTools();
    expect(tools).toHaveLength(7);
    expect(tools.map(({ name }) => name)).not.toContain('post_comment');
    const posting = callTool(restricted, 'post_comment', { fileKey, message: 'x' });
    expect(
      await posting.then(
        ({ isError }) => isError,
        () => true,
      ),
    ).toBe(true);
    await restricted.close();
    expect(await figma.calls()).toEqual([]);
  });
});

describe.each(['components', 'styles'])('%s', kind => {
  test('of a file, paged here', async () => {
    const first = await read<List>(`get_${kind}`, { fileKey, pageSize: 30 });
    expect(first).toMatchObject({ nextCursor: 30, totalCount: 70 });
    expect(first.items[0]).toMatchObject(
      kind === 'components'
        ? { name: 'Component 1', key: 'key-of-Component-1', nodeId: '20:1', frame: 'Buttons', page: 'Library' }
        : { name: 'Style 1', key: 'key-of-Style-1', nodeId: '20:1', type: 'FILL' },
    );
    expect(first.items[0]!['description']).toContain('[cut after 500 of 800 characters]');
    const last = await read<List>(`get_${kind}`, { fileKey, cursor: 60, pageSize: 30 });
    expect(last.items).toHaveLength(10);
    expect(last.nextCursor).toBeNull();
    expect((await figma.calls()).map(({ path, query }) => path + query)).toEqual([
      `/v1/files/${fileKey}/${kind}`,
      `/v1/files/${fileKey}/${kind}`,
    ]);
  });

  test("of a team, by Figma's cursor", async () => {
    const seen: unknown[] = [];
    for (let cursor: number | null = 0; cursor !== null;) {
      const list: List = await read<List>(`get_${kind}`, {
        teamId: '4711',
        pageSize: 40,
        ...(cursor > 0 && { cursor }),
      });
      seen.push(...list.items.map(({ key }) => key));
      cursor = list.nextCursor;
    }
    expect(new Set(seen).size).toBe(70);
    expect((await figma.calls()).map(({ path, query }) => path + query)).toEqual([
      `/v1/teams/4711/${kind}?page_size=40`,
      `/v1/teams/4711/${kind}?page_size=40&after=40`,
    ]);
  });
});

describe('variables', () => {
  test('have their values by mode, colors as hex and others by name', async () => {
    const all = await read<List & { collections: object[] }>('get_variables', { fileKey });
    expect((await figma.calls())[0]!.path).toBe(`/v1/files/${fileKey}/variables/local`);
    expect(all.collections).toMatchObject([
      { name: 'Colors', modes: ['Light', 'Dark'], defaultMode: 'Light', count: 2 },
      { name: 'Space', modes: ['Default'] },
    ]);
    expect(all.items).toMatchObject([
      { name: 'color/brand', type: 'COLOR', collection: 'Colors', values: { Light: '#0055FF', Dark: '#8080FF80' } },
      { name: 'color/action', values: { Light: '→ color/brand', Dark: '→ VariableID:99:1' } },
      { name: 'space/m', type: 'FLOAT', values: { Default: 16 }, codeSyntax: { WEB: '--space-m' } },
    ]);
    const spaces = await read<List>('get_variables', { fileKey, collection: 'Space' });
    expect(spaces.items.map(({ name }) => name)).toEqual(['space/m']);
    expect((await read<List>('get_variables', { fileKey, type: 'COLOR', perPage: 1 })).paging).toEqual({
      page: 1,
      totalCount: 2,
      nextPage: 2,
    });
  });

  test('are only for Enterprise plans, which is said', async () => {
    await figma.fail({ kind: 'enterprise-only' });
    const answer = await call('get_variables', { fileKey });
    expect(answer).toEqual({ isError: true, text: expect.stringMatching(/403: Limited by Figma plan.*Enterprise/) });
  });
});

describe('bad arguments', () => {
  test.each<[string, Record<string, unknown>]>([
    ['get_file_metadata', { fileKey: '../me' }],
    ['get_file_metadata', { fileKey: `${fileKey}%2F..` }],
    ['get_comments', { fileKey, page: 0 }],
    ['get_comments', { fileKey, perPage: 201 }],
    ['get_comments', { fileKey, nodeId: 'x' }],
    ['post_comment', { fileKey, message: '  ' }],
    ['post_comment', { fileKey, message: 'x'.repeat(5001) }],
    ['post_comment', { fileKey, message: 'x', commentId: '1/reactions' }],
    ['post_comment', { fileKey, message: 'x', commentId: '1', nodeId: '1:1' }],
    ['post_comment', { fileKey, message: 'x', x: 1 }],
    ['post_comment', { fileKey, message: 'x', client_meta: {} }],
    ['get_components', {}],
    ['get_components', { fileKey, teamId: '4711' }],
    ['get_components', { teamId: '../4711' }],
    ['get_styles', { fileKey, pageSize: 1000 }],
    ['get_styles', { fileKey, cursor: -1 }],
    ['get_variables', { fileKey, type: 'constructor' }],
  ])('%s %o never reach Figma', async (name, args) => {
    expect((await call(name, args)).isError).toBe(true);
    expect(await figma.calls()).toEqual([]);
  });
});
