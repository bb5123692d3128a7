import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { lineDiff } from './line-diff.js';

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index)).join('\n');

describe('the difference of two texts', () => {
  it('is none for equal ones', () => expect(lineDiff('a\nb', 'a\nb')).toEqual([]));
  it('is what goes and what comes, with what stands around it', () =>
    expect(lineDiff('a\nb\nc', 'a\nB\nc')).toEqual([' a', '-b', '+B', ' c']));
  it('leaves out what is far from every change', () =>
    expect(lineDiff(numbers(1, 20), numbers(1, 20).replace('10', 'ten'))).toEqual([
      ...[' …', ' 7', ' 8', ' 9', '-10', '+ten', ' 11', ' 12', ' 13', ' …'],
    ]));
  it('has in it all of both texts that differs, whatever they are', () =>
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 6 }),
        fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 6 }),
        (a, b) => {
          const lines = lineDiff(a.join('\n'), b.join('\n'));
          if (a.join() === b.join()) return;
          const side = (marks: string) =>
            lines
              .filter((line) => marks.includes(line.charAt(0)) && line !== ' …')
              .map((line) => line.slice(1))
              .join('\n');
          expect(a.join('\n')).toContain(side(' -'));
          expect(b.join('\n')).toContain(side(' +'));
        },
      ),
    ));
});
