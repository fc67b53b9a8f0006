import http from 'node:http';

const initialize = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'bench', version: '1' } },
});

/** One attempt at `initialize`; resolves true when a result came back. */
export function askOnce(port: number, token: string): Promise<boolean> {
  return new Promise(resolve => {
    const request = http.request({
      host: '127.0.0.1',
      port,
      path: '/mcp',
      method: 'POST',
      agent: false,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'content-length': Buffer.byteLength(initialize),
      },
    });
    request.on('error', () => resolve(false));
    request.on('response', response => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (text.includes('"serverInfo"')) {
          resolve(true);
          response.destroy();
        }
      });
      response.on('end', () => resolve(false));
      response.on('error', () => resolve(false));
    });
    request.end(initialize);
  });
}

/** Asks every millisecond until the MCP server answers. */
export async function firstAnswer(port: number, token: string): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await askOnce(port, token))) {
    if (performance.now() > end) throw new Error(`no MCP answer on port ${port}`);
    await new Promise(resolve => setTimeout(resolve, 1));
  }
}
