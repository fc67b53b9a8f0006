import { createHash } from 'node:crypto';
import type { Api } from './context.ts';

const style = `
:root { color-scheme: light dark; --line: #d5dae1; --ink: #1c2430; --soft: #5b6675; --paper: #fbfcfd; --accent: #2563a8 }
@media (prefers-color-scheme: dark) {
  :root { --line: #323b47; --ink: #e6eaf0; --soft: #9aa6b5; --paper: #14181e; --accent: #7db4ee }
}
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.6 system-ui, sans-serif }
main { max-width: 42rem; margin: 0 auto; padding: 4rem 1.5rem }
h1 { margin: 0; font-size: 2rem; letter-spacing: -.02em }
p { margin: .75rem 0 0 } .soft { color: var(--soft) }
dl { margin: 2rem 0; border-top: 1px solid var(--line) }
dl div { padding: .9rem 0; border-bottom: 1px solid var(--line) }
dt { font-weight: 600 } dd { margin: .15rem 0 0; color: var(--soft) }
code, pre { font: .875rem/1.6 ui-monospace, monospace; color: var(--accent); overflow-wrap: anywhere }
pre { margin: 0; padding: 1rem; border: 1px solid var(--line); border-radius: .5rem; white-space: pre-wrap }
`;
const styleHash = createHash('sha256').update(style).digest('base64');

const policy = [
  "default-src 'none'",
  `style-src 'sha256-${styleHash}'`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The page at `/`: what this is and where everything is, and nothing that only a token should tell. */
export function addPage(app: Api): void {
  app.get('/', { config: { scope: 'public' }, schema: { hide: true } }, async (request, reply) =>
    reply.type('text/html; charset=utf-8').header('content-security-policy', policy).send(renderPage(request.host)),
  );
}

/** `host` is what the reader asked for; the guard of hosts has looked at it. */
function renderPage(host: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>MiniMCP</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<main>
<h1>MiniMCP</h1>
<p>MCP servers on a lease: declare an instance and when it must end, and exactly one healthy process runs until then.</p>
<p class="soft">This page is all there is to see so far; everything is done through the API.</p>
<dl>
<div><dt>API</dt><dd><code>/api/v1</code>, with a token on every request</dd></div>
<div><dt>OpenAPI 3.1 document</dt><dd><code>/api/v1/openapi.json</code></dd></div>
<div><dt>Admin token</dt><dd>in <code>admin.token</code> in the data directory, readable by its owner alone</dd></div>
<div><dt>Health</dt><dd><code>/livez</code> and <code>/readyz</code>, without a token</dd></div>
</dl>
<pre>curl -H "Authorization: Bearer $(cat admin.token)" http://${escapeHtml(host)}/api/v1/mcps</pre>
</main>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replaceAll(/[&<>"']/g, character => entities[character]!);
}
