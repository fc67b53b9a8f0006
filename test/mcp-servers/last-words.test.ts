import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { chooseWords } from '../../mcp-servers/stdio/last-words.ts';

test("a missing module's name is among Node's own last words", () => {
  const { stderr } = spawnSync(process.execPath, ['/nowhere/server.mjs'], { encoding: 'utf8' });
  const words = chooseWords(stderr);
  expect(words).toContain("Cannot find module '/nowhere/server.mjs'");
  expect(words).not.toMatch(/^ +at |Node\.js v/m);
});

test('what went wrong is told, however much comes after it', () => {
  const words = chooseWords(`starting\nboot failed: no DB\n${'x\n'.repeat(30)}bye`);
  expect(words.split('\n')).toEqual(['boot failed: no DB', '…', 'x', 'x', 'x', 'x', 'x', 'bye']);
});

test('few words stay as they are', () => {
  expect(chooseWords('one\n\ntwo\n')).toBe('one\ntwo');
  expect(chooseWords('')).toBe('');
});
