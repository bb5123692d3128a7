import { describe, expect, it } from '@jest/globals';
import { excerptOf, gathered, hiddenProblems } from './policy-problem.js';

describe('the excerpt of a problem', () => {
  it('is the line with a caret under the place', () =>
    expect(excerptOf('permit (\n  principle,\n);', 2, 3)).toBe('  principle,\n  ^'));
  it('keeps tabs, so that the caret stands right at any width of them', () =>
    expect(excerptOf('\tpermit', 1, 2)).toBe('\tpermit\n\t^'));
  it('ends before a carriage return', () => expect(excerptOf('permit\r\n', 1, 7)).toBe('permit\n      ^'));
  it('of a long line is what surrounds the place', () => {
    const text = `${'a'.repeat(1_000)}!${'b'.repeat(1_000)}`;
    const [line = '', caret = ''] = excerptOf(text, 1, 1_001).split('\n');
    expect(line).toHaveLength(120);
    expect(line.charAt(caret.indexOf('^'))).toBe('!');
  });
  it('at the end of a long line stands below its end', () => {
    const [line = '', caret = ''] = excerptOf('a'.repeat(500), 1, 501).split('\n');
    expect(caret.indexOf('^')).toBe(line.length);
  });
  it('is empty where there is no one place', () => expect(excerptOf('permit', 0, 0)).toBe(''));
});

describe('a character that a reader would not see', () => {
  const found = (policies: string) => hiddenProblems({ policies, schema: '' });
  it.each([
    ['a bell', '\u0007', 'U+0007'],
    ['an override of direction', '\u202e', 'U+202E'],
    ['a space of no width', '\u200b', 'U+200B'],
    ['a line separator', '\u2028', 'U+2028'],
  ])('is a problem: %s', (_title, character, code) =>
    expect(found(`permit;\n// a${character}`)).toEqual([
      { field: 'policies', line: 2, column: 5, message: `the character ${code} cannot be seen; remove it` },
    ]),
  );
  it('is none of tab, line feed, carriage return, letters and signs of any script', () =>
    expect(found('\tpermit;\r\n// Zürich, 東京, 👍')).toEqual([]));
});

describe('problems', () => {
  const problem = (line: number, message: string, field: 'policies' | 'schema' = 'policies') => ({
    field,
    line,
    column: 7,
    message,
  });
  it('come in the order of the text', () =>
    expect(
      gathered([problem(3, 'c'), problem(1, 's', 'schema'), problem(2, 'b'), problem(2, 'a')]).map(
        ({ message }) => message,
      ),
    ).toEqual(['a', 'b', 'c', 's']));
  it('that are one slip, told for each action, are told once', () => {
    const slip = (action: string) => problem(1, `no \`amout\` in context for Action::"${action}"`);
    expect(
      gathered([slip('b'), slip('a'), slip('c'), problem(1, 'else')]).map(({ message }) => message),
    ).toEqual(['else', 'no `amout` in context for Action::"a"; the same for 2 other actions']);
  });
  it('name no policy by a number that nobody gave it', () =>
    expect(gathered([problem(1, 'for policy `policy12`, no `amout`')])[0]?.message).toBe('no `amout`'));
});
