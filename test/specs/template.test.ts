import fc from 'fast-check';
import { expect, test } from 'vitest';
import { escapeTemplate, fillTemplate, inputsOf, parseTemplate } from '../../specs/types/template.ts';

const odd = fc.string({ unit: fc.constantFrom('{', '}', 'a', '_', ' ', '$', '"', '\\', '{a}', '{{', '}}') });

test('what is escaped is said as it is', () => {
  fc.assert(
    fc.property(odd, text => {
      expect(fillTemplate(parseTemplate(escapeTemplate(text))!, () => null)).toBe(text);
      expect(inputsOf(escapeTemplate(text))).toEqual([]);
    }),
  );
});

test('a value is put in once and never looked at again', () => {
  fc.assert(
    fc.property(odd, odd, odd, (before, value, after) => {
      const template = `${escapeTemplate(before)}{x}${escapeTemplate(after)}`;
      expect(fillTemplate(parseTemplate(template)!, name => (name === 'x' ? value : null))).toBe(
        before + value + after,
      );
    }),
  );
});

test.each([
  ['{', null],
  ['}', null],
  ['{a', null],
  ['{a b}', null],
  ['{}', null],
  ['{{a}', null],
  ['', []],
  ['{{}}', []],
  ['{{{a}}}', ['a']],
  ['{a}{b.c-d}', ['a', 'b.c-d']],
])('%s', (text, names) => {
  expect(parseTemplate(text) === null ? null : inputsOf(text)).toEqual(names);
});
