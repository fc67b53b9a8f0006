import type { ClientName } from '../schemas.ts';
import { guideClaudeCode } from './claude-code.ts';
import { guideClaudeDesktop } from './claude-desktop.ts';
import type { Guide, Target } from './client.ts';
import { guideCodex } from './codex.ts';
import { guideCursor } from './cursor.ts';
import { guideGemini } from './gemini.ts';
import { guideMcpRemote } from './mcp-remote.ts';
import { guideVsCode } from './vscode.ts';
import { guideWindsurf } from './windsurf.ts';

/** How each client is told of an instance. A client without a guide does not compile. */
export const guides: Record<ClientName, (target: Target) => Guide> = {
  'claude-code': guideClaudeCode,
  'claude-desktop': guideClaudeDesktop,
  cursor: guideCursor,
  vscode: guideVsCode,
  windsurf: guideWindsurf,
  codex: guideCodex,
  gemini: guideGemini,
  'mcp-remote': guideMcpRemote,
};
