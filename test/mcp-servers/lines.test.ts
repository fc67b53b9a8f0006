import fc from 'fast-check';
import { expect, test } from 'vitest';
import { splitLines } from '../../mcp-servers/stdio/lines.ts';

interface Read {
  lines: string[];
  oversize: { head: string; tail: string; bytes: number }[];
}

function read(chunks: readonly Buffer[], maxLineBytes: number): Read {
  const seen: Read = { lines: [], oversize: [] };
  const push = splitLines(maxLineBytes, {
    onLine: line => seen.lines.push(line.toString()),
    onOversize: (head, tail, bytes) => seen.oversize.push({ head, tail, bytes }),
  });
  for (const chunk of chunks) push(chunk);
  return seen;
}

/** Cuts a buffer at these places, in order. */
function cut(whole: Buffer, places: readonly number[]): Buffer[] {
  const marks = [0, ...places.map(place => place % (whole.length + 1)).toSorted((a, b) => a - b), whole.length];
  return marks.slice(1).map((mark, index) => whole.subarray(marks[index], mark));
}

const textLine = fc.string({ unit: 'grapheme', maxLength: 60 }).filter(line => line !== '' && !line.includes('\n'));

test('lines come whole, however the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(textLine), fc.array(fc.nat()), (lines, places) => {
      const whole = Buffer.from(lines.map(line => `${line}\n`).join(''));
      expect(read(cut(whole, places), 1000)).toEqual({ lines, oversize: [] });
    }),
  );
});

test('a line over the limit is dropped alone, and its edges are known', () => {
  fc.assert(
    fc.property(fc.array(fc.nat()), fc.integer({ min: 513, max: 5000 }), (places, size) => {
      const long = `HEAD${'x'.repeat(size - 8)}TAIL`;
      const whole = Buffer.from(`before\n${long}\nafter\n`);
      const { lines, oversize } = read(cut(whole, places), 512);
      expect(lines).toEqual(['before', 'after']);
      expect(oversize).toEqual([{ head: long.slice(0, 256), tail: long.slice(-256), bytes: size }]);
    }),
  );
});

test('empty lines are none', () => {
  expect(read([Buffer.from('\n\na\n\n')], 10)).toEqual({ lines: ['a'], oversize: [] });
});
