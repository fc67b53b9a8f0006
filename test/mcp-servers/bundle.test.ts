import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { callTool, connectLegacy, connectModern, post } from '../support/clients.ts';
import { landing, startFakeFigma, startFigmaHost } from '../support/figma.ts';
import { fixture } from '../support/fixture.ts';
import { startFakeGithub } from '../support/github.ts';
import { startFakeGmail, startGmailHost } from '../support/gmail.ts';
import { startHost } from '../support/host.ts';

/** What `node build.ts` made; the whole folder runs against either with MINIMCP_TEST_HOST=bundle or =snapshot. */
const built = ['bundle', 'snapshot'] as const;

describe.each(built)('%s', form => {
  test.skipIf(!existsSync('dist/host.js'))('serves GitHub and stdio programs in both eras', async () => {
    await using github = await startFakeGithub();
    await using octo = await startHost({ form, upstreamUrl: github.url });
    await using echo = await startHost({ form, command: fixture('echo') });
    for (const connect of [connectLegacy, connectModern]) {
      const toGithub = await connect(octo);
      expect((await callTool(toGithub, 'get_me')).text).toContain('mona');
      const toChild = await connect(echo);
      expect((await callTool(toChild, 'echo', { text: 'built' })).text).toBe('built');
      await Promise.all([toGithub.close(), toChild.close()]);
    }
    for (const host of [octo, echo]) {
      host.process.kill('SIGTERM');
      expect(await host.exited).toEqual({ code: 0, signal: null });
      expect(host.exit().reason).toBe('drained');
    }
  });

  // What build.ts replaces for the host's own sake must not be missing where a vendor's client needs it.
  test.skipIf(!existsSync('dist/host.js'))('reads a design and writes a mail', async () => {
    await using figma = await startFakeFigma();
    await using gmail = await startFakeGmail();
    await using design = await startFigmaHost(figma, { form });
    await using mail = await startGmailHost(gmail, { form });
    const toFigma = await connectModern(design);
    const data = await callTool(toFigma, 'get_figma_data', { fileKey: landing(0) });
    expect(data.isError, data.text).toBe(false);
    const toGmail = await connectModern(mail);
    for (const [tool, args] of [
      ['search_threads', { query: 'in:inbox' }],
      ['create_draft', { to: ['a@example.com'], subject: 'Built', body: 'Hello' }],
    ] as const) {
      const answer = await callTool(toGmail, tool, args);
      expect(answer.isError, answer.text).toBe(false);
    }
    await Promise.all([toFigma.close(), toGmail.close()]);
  });

  test.skipIf(!existsSync('dist/host.js'))('is no twin of another: what it draws by chance is its own', async () => {
    const ids = await Promise.all(
      [1, 2].map(async () => {
        await using host = await startHost({ form });
        const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'twin', version: '1' } };
        const answer = await post(host, { jsonrpc: '2.0', id: 1, method: 'initialize', params });
        return answer.headers.get('mcp-session-id');
      }),
    );
    expect(ids[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(ids[1]).not.toBe(ids[0]);
  });
});
