import fc from 'fast-check';
import { expect, test } from 'vitest';
import { planToolsEvent } from '../../controllers/tools.plan.ts';
import type { ToolsSeen } from '../../controllers/tools.plan.ts';

const list = (hash: string, tools: Record<string, string>, spec = 'spec'): ToolsSeen => ({
  hash,
  tools: Object.entries(tools).map(([name, toolHash]) => ({ name, hash: toolHash })),
  spec_hash: spec,
});

test('the first tools, and the same ones, are nothing to tell', () => {
  expect(planToolsEvent(null, list('1', { a: 'x' }))).toBeNull();
  expect(planToolsEvent(list('1', { a: 'x' }), list('1', { a: 'x' }, 'other'))).toBeNull();
});

test('a sentence names what is added, removed and changed, and says when the spec was changed', () => {
  const before = list('1', { kept: 'x', gone: 'x', other: 'x' });
  const tools = { kept: 'x', fresh: 'x', other: 'y' };
  const message = 'Its tools are others than before: added fresh; removed gone; changed other.';
  expect(planToolsEvent(before, list('2', tools))).toEqual({
    reason: 'ToolsChanged',
    message,
    data: { before: '1', after: '2', specChanged: false, added: ['fresh'], removed: ['gone'], changed: ['other'] },
  });
  expect(planToolsEvent(before, list('2', tools, 'other'))).toMatchObject({
    message: `${message} Its type, configuration or api key was changed meanwhile.`,
    data: { specChanged: true },
  });
});

test('many names, and names that no terminal should see, are told in few plain words', () => {
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`tool-${index}`, 'x']));
  const event = planToolsEvent(list('1', {}), list('2', many))!;
  expect(event.message).toContain('added tool-0, tool-1, tool-2, tool-3, tool-4 and 295 more.');
  expect(event.data!['added']).toHaveLength(200);
  const hostile = planToolsEvent(list('1', {}), list('2', { '\u001B[2J\u202E': 'x', ['l'.repeat(200)]: 'x' }))!;
  expect(hostile.message).toMatch(/^[^\p{Cc}\p{Cf}]{1,200}$/u);
});

test('added, removed and changed are exactly what differs', () => {
  const tools = fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor'), fc.constantFrom('x', 'y'));
  fc.assert(
    fc.property(tools, tools, (was, is) => {
      const { added, removed, changed } = planToolsEvent(list('1', was), list('2', is))!.data as Record<
        string,
        string[]
      >;
      const names = (of: object, unless: object): string[] =>
        Object.keys(of).filter(name => !Object.hasOwn(unless, name));
      expect(added).toEqual(names(is, was));
      expect(removed).toEqual(names(was, is));
      expect(changed).toEqual(Object.keys(is).filter(name => Object.hasOwn(was, name) && was[name] !== is[name]));
    }),
  );
});
