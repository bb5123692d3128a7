import { describe, expect, it } from '@jest/globals';
import { JSON_DEPTH_MAX, JSON_WIDTH_MAX, readJsonObject } from './json-body.js';

const read = (text: string) => readJsonObject(Buffer.from(text));
const nested = (levels: number) => `${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`;

describe('a body', () => {
  it.each([
    '{}',
    ' {"a":[{"a":1},{"a":2}],"b":"a"} ',
    '{"a":"b","b":"a","c":{"a":"{[","\\\\":1,"\\"":2}}',
    '{"a":"ends with a backslash \\\\","b":1}',
    nested(JSON_DEPTH_MAX),
    `{"a":[${Array(JSON_WIDTH_MAX).fill('{"a":1,"b":2}')}],"b":[]}`,
  ])('is what JSON says it is: %.40s', (text) => expect(read(text)).toEqual(JSON.parse(text)));

  it.each<[string, string, RegExp]>([
    ['nothing', '', /empty/],
    ['no JSON', '{"a":NaN}', /not JSON/],
    ['half a string', '{"a":"b', /not JSON/],
    ['a broken escape in a name', '{"\\x":1}', /not JSON/],
    ['a list', '[1]', /must be a JSON object/],
    ['nothing but null', 'null', /must be a JSON object/],
    ['two bodies', '{}{}', /not JSON/],
    ['a byte order mark', '\uFEFF{}', /not JSON/],
    ['a member twice', '{"a":1,"b":2,"a":1}', /twice/],
    ['a member twice, deep down', '{"x":[{"a":{"b":1,"b" : 2}}]}', /twice/],
    ['a member twice in two spellings', '{"ab":1,"\\u0061b":2}', /twice/],
    ['__proto__ twice', '{"__proto__":1,"__proto__":2}', /twice/],
    ['one level too many', nested(JSON_DEPTH_MAX + 1), /nested deeper/],
    ['a list too long', `{"a":[${Array(JSON_WIDTH_MAX + 1).fill(1)}]}`, /more than 1024/],
    [
      'too many members',
      JSON.stringify(Object.fromEntries(Array.from({ length: JSON_WIDTH_MAX + 1 }, (_, one) => [one, 1]))),
      /more than 1024/,
    ],
    ['nothing but commas', ','.repeat(5_000), /more than 1024/],
    ['half a million levels', '['.repeat(500_000), /nested deeper/],
  ])('with %s is refused', (_, text, message) => expect(() => read(text)).toThrow(message));

  it('that is not UTF-8 is refused', () =>
    expect(() => readJsonObject(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toThrow(/UTF-8/));

  it('is not quoted in what is said against it', () =>
    expect(() => read('{"token":"eyJ.secret"')).toThrow(
      expect.objectContaining({ message: 'the body is not JSON' }),
    ));

  it('with a member named __proto__ has it as a member, and the prototype of every object', () => {
    const body = read('{"__proto__":{"admin":true}}');
    expect(Object.keys(body)).toEqual(['__proto__']);
    expect(Reflect.get(body, 'admin')).toBeUndefined();
  });
});
