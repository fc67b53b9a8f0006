import type { StartProgram } from './program.ts';

/** Server types by name, each loaded when it is needed. A Map, so that no name reaches Object.prototype. */
export const servers: ReadonlyMap<string, () => Promise<StartProgram>> = new Map<string, () => Promise<StartProgram>>([
  ['github', async () => (await import('../github/github.ts')).startGithub],
  ['figma', async () => (await import('../figma/figma.ts')).startFigma],
  ['gmail', async () => (await import('../gmail/gmail.ts')).startGmail],
  ['stdio', async () => (await import('../stdio/stdio.ts')).startStdio],
]);
