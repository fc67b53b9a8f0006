import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { typeManifest } from '../../specs/types/manifest.ts';
import { fillProgram, fillSecrets } from '../../specs/types/program.ts';
import { OversizeError } from '../../specs/types/program-size.ts';
import { registeredType } from '../../specs/types/registered.ts';
import { fillTemplate, parseTemplate } from '../../specs/types/template.ts';

const echo = (fields: object) => typeManifest.parse({ title: 'T', command: ['/bin/true'], ...fields });

const wordless = (times: number) => Array.from({ length: times }, () => ['{v}', ...Array(63).fill('')]);

/** What is said about spec.config; none when it is taken. */
const faults = (manifest: ReturnType<typeof echo>, config: object): string[] =>
  (registeredType('t', manifest).config.safeParse(config).error?.issues ?? []).map(({ message }) => message);

const absent = { kind: 'input', name: 'w' } as const;

test('a filled template ends where it is too long, and is none all the same when a value is absent', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 50 }), fc.nat(200), fc.nat(200), (value, times, longest) => {
      const template = parseTemplate('{v}'.repeat(times))!;
      const whole = value.repeat(times);
      const filled = fillTemplate(template, () => value, longest)!;
      expect(whole.startsWith(filled)).toBe(true);
      if (whole.length <= longest) expect(filled).toBe(whole);
      else expect([filled.length > longest, filled.length <= longest + value.length]).toEqual([true, true]);
      expect(fillTemplate([...template, absent], name => (name === 'v' ? value : null), longest)).toBe(null);
    }),
  );
});

test('a small document cannot make a large variable or argument', () => {
  const inputs = { v: { default: 'x'.repeat(20_000) } };
  const many = '{v}'.repeat(10_000);
  expect(faults(echo({ env: { V: many }, inputs }), {})).toEqual([expect.stringMatching(/env\.V .*32768 characters/)]);
  expect(faults(echo({ args: ['a', many], inputs }), {})).toEqual([expect.stringMatching(/args\[1\] .*32768/)]);
  expect(faults(echo({ args: ['a', many], inputs }), { v: 'xyz' })).toEqual([]);
});

test.each([
  ['a list', { args: ['{v}'] }, Array(64).fill('x'.repeat(32_000))],
  ['a list in another script', { args: ['{v}'] }, Array(20).fill('語'.repeat(30_000))],
  ['a list of words without letters', { args: wordless(256) }, Array(64).fill('')],
])('%s cannot make more arguments than a program is started with', (_title, fields, v) => {
  const manifest = echo({ ...fields, inputs: { v: { repeated: true } } });
  expect(faults(manifest, { v })).toEqual([expect.stringContaining('1048576 bytes; give fewer or shorter values')]);
  expect(() => fillProgram(manifest, { v })).toThrow(OversizeError);
});

test.each([
  ['long words', ['{v}'], Array(31).fill('x'.repeat(32_768))],
  ['another script', ['{v}'], Array(10).fill('語'.repeat(32_768))],
  ['words without letters', wordless(28), Array(64).fill('')],
])('a program is started with as much as is taken: %s', (_title, args, v) => {
  const manifest = echo({ args, env: { A: '{a}' }, inputs: { a: {}, v: { repeated: true } } });
  const config = { a: 'x'.repeat(1_000), v };
  expect(faults(manifest, config)).toEqual([]);
  const { command, args: argv, env } = fillProgram(manifest, config);
  const { error, status } = spawnSync(command![0]!, argv, { env });
  expect([error, status]).toEqual([undefined, 0]);
});

test('secrets count beside the rest, each as long as a secret may be', () => {
  const manifest = echo({
    args: ['{v}'],
    env: { A: '{s}', B: '{s}{s}' },
    inputs: { s: { secret: true }, v: { repeated: true } },
  });
  const fill = (length: number, v: string[] = []) => fillSecrets(manifest, { v }, { s: '$'.repeat(length) });
  expect(fill(32_768)).toEqual({ A: '$'.repeat(32_768), B: '$'.repeat(65_536) });
  expect(() => fill(32_769)).toThrow(/env\.B .*65536 characters/);
  expect(() => fill(32_769)).not.toThrow(/\$/);
  const most = Array(30).fill('x'.repeat(32_768));
  expect(fill(1, most)).toEqual({ A: '$', B: '$$' });
  expect(() => fill(32_000, most)).toThrow(/1048576 bytes/);
});

const text = (fields: object = {}) => ({ ...fields, format: 'string' });

test.each<[title: string, args: unknown[], refused: boolean]>([
  ['alone', ['{x}'], true],
  ['at the beginning', ['{x}.json'], true],
  ['after an option of its own', [['--dir', '{x}']], true],
  ['when something is switched on', [{ if: 'on', args: ['{x}'] }], true],
  ['after what may be empty', ['{maybe}{x}'], true],
  ['after what has an empty choice', ['{choice}{x}'], true],
  ['after what is never empty', ['{sure}{x}'], false],
  ['after text', ['--dir={x}'], false],
  ['after the end of options', ['--', '{x}'], false],
  ['after the end of options in its own words', [['--', '{x}']], false],
  ['after an end that may be absent', [{ if: 'on', args: ['--'] }, '{x}'], true],
])('a value can be no option: %s', (_title, args, refused) => {
  const manifest = echo({
    args,
    env: { E: '{x}{maybe}{sure}{choice}{on}' },
    inputs: {
      x: text(),
      maybe: text(),
      sure: text({ required: true }),
      choice: text({ choices: ['', 'a'] }),
      on: { format: 'boolean' },
    },
  });
  const config = { x: '--config=/etc/passwd', sure: 'a', on: true };
  expect(faults(manifest, config)).toEqual(refused ? [expect.stringContaining('must not begin with "-"')] : []);
  expect(faults(manifest, { ...config, x: 'a--config' })).toEqual([]);
});

test('each value of a list is held to it; choices and numbers are what they are', () => {
  const manifest = echo({
    args: ['{list}', '{mode}', '{count}'],
    inputs: { list: { repeated: true }, mode: { choices: ['-a', '-b'], default: '-a' }, count: { format: 'number' } },
  });
  expect(faults(manifest, { list: ['a', '-b'] })).toEqual([expect.stringContaining('must not begin with "-"')]);
  const config = registeredType('t', manifest).config.parse({ list: ['a', 'b'], count: -1 });
  expect(fillProgram(manifest, config).args).toEqual(['a', 'b', '-a', '-1']);
});
