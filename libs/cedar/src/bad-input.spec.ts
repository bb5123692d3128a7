import { describe, expect, it } from '@jest/globals';
import { parseJson } from './json.js';
import { PolicySet, type Request } from './policy-set.js';
import { formatted, validation } from './reference.provider.js';
import { InvalidSource, type SourceProblem } from './source-problem.js';

const uid = (type: string, id: string) => ({ type, id });
const asked: Request = { principal: uid('U', 'a'), action: uid('Action', 'read'), resource: uid('U', 'b') };
const permitWhen = (condition: string) => `permit (principal, action, resource) when { ${condition} };`;
const schema =
  'entity U, G; entity E enum ["a"]; action read appliesTo { principal: U, resource: U, context: { n?: Long } };';

function problemsOf(policies: string, schemaText?: string): readonly SourceProblem[] {
  try {
    PolicySet.prepare({ policies, ...(schemaText !== undefined && { schema: schemaText }) });
  } catch (thrown) {
    if (thrown instanceof InvalidSource) return thrown.problems;
    throw thrown;
  }
  return [];
}

/** What the answer says of a question that is refused as a whole. */
function refusal(request: Partial<Request>, schemaText: string | undefined = undefined): string | undefined {
  const set = PolicySet.prepare({
    policies: permitWhen('true'),
    ...(schemaText !== undefined && { schema: schemaText }),
  });
  const { decision, errors } = set.evaluate({ ...asked, ...request });
  return decision === 'deny' && errors[0]?.policyId === undefined ? errors[0]?.message : undefined;
}

describe('policies that do not parse', () => {
  it('are told with line, column and caret', () => {
    const [problem] = problemsOf(
      'permit (principal, action, resource);\n// é😀\npermit (principal, action, ressource);',
    );
    expect(problem).toEqual({
      source: 'policies',
      line: 3,
      column: 28,
      message: expect.stringContaining('ressource'),
      excerpt: 'permit (principal, action, ressource);\n                           ^',
    });
  });
  it.each([
    'permit',
    'permit (principal, action, resource)',
    '"',
    '/* */',
    permitWhen('9223372036854775808 == 0'),
  ])('are refused: %s', (text) => expect(problemsOf(text).length).toBeGreaterThan(0));
  it('are refused as a text of their own too', () =>
    expect(() =>
      PolicySet.prepare({ policies: { a: 'permit (principal, action, resource); permit' } }),
    ).toThrow('more than one'));

  it.each([
    ['brackets', `${'('.repeat(5_000)}true${')'.repeat(5_000)}`],
    ['sets', `${'['.repeat(200)}${']'.repeat(200)} == []`],
    ['conditions', `${'if true then true else '.repeat(2_000)}true`],
    ['attributes', `context${'.a'.repeat(5_000)}`],
    ['sums', `${'1 + '.repeat(5_000)}1 == 1`],
  ])(
    'are refused when %s would overflow the stack of the reference, which answers afterwards',
    (_what, condition) => {
      const [problem] = problemsOf(permitWhen(condition));
      expect(problem?.message).toMatch(/nest deeper than|more than 1000 operators/);
      expect(problemsOf(permitWhen('true'))).toEqual([]);
    },
  );

  it('of the largest size allowed are compiled and evaluated', () => {
    const chains = ['1 + '.repeat(990), 'true && '.repeat(1_900), 'if true then true else '.repeat(300)];
    const conditions = [
      `${chains[0]}1 > 0`,
      `${chains[1]}true`,
      `${chains[2]}true`,
      `${'('.repeat(60)}true${')'.repeat(60)}`,
    ];
    const { reasons } = PolicySet.prepare({ policies: conditions.map(permitWhen).join('\n') }).evaluate(
      asked,
    );
    expect(reasons).toHaveLength(4);
  });
});

describe('a schema', () => {
  it('that does not parse is told with its place', () =>
    expect(problemsOf(permitWhen('true'), 'entity U;\nentity G in;')[0]).toMatchObject({
      source: 'schema',
      line: 2,
    }));
  it('that conflicts with itself is told', () =>
    expect(problemsOf(permitWhen('true'), 'entity U; entity U;')[0]).toMatchObject({ source: 'schema' }));
  it('that nests too deep is told', () =>
    expect(
      problemsOf(permitWhen('true'), `entity U { a: ${'Set<'.repeat(200)}Long${'>'.repeat(200)} };`)[0]
        ?.message,
    ).toContain('nest deeper'));
  it('tells what policies get wrong', () =>
    expect(validation({ policies: permitWhen('context.m == 1'), schema }).errors[0]).toMatchObject({
      source: 'policies',
      line: 1,
      message: expect.stringContaining('`m`'),
    }));
  it('tells of a policy that can never apply', () =>
    expect(validation({ policies: permitWhen('false'), schema })).toMatchObject({
      errors: [],
      warnings: [{ source: 'policies', line: 1, message: expect.stringContaining('impossible') }],
    }));
});

describe('a question that is no question is a deny, and told', () => {
  const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
  it.each<[string, Partial<Request>, RegExp]>([
    ['NaN', { context: { n: Number.NaN } }, /`NaN` is no exact integer/],
    ['an infinite number', { context: { n: Number.POSITIVE_INFINITY } }, /no exact integer/],
    ['a fraction', { context: { n: 1.5 } }, /no exact integer/],
    ['a number that was rounded', { context: { n: 2 ** 53 } }, /pass a bigint/],
    ['an integer beyond 2^63', { context: { n: 2n ** 63n } }, /exceeds 64 bits/],
    [
      'an integer beyond 2^63 in JSON',
      { context: parseJson('{"n": 9223372036854775808}') },
      /exceeds 64 bits/,
    ],
    ['a date', { context: { n: new Date(0) } }, /which JSON cannot hold/],
    ['a function', { context: { n: () => 1 } }, /which JSON cannot hold/],
    ['half a character', { context: { s: '\ud800' } }, /surrogate/],
    ['deep nesting', { context: { n: nested(200) } }, /nests deeper than 120/],
    ['a list for a context', { context: [1] }, /no record/],
    ['no principal', { principal: undefined }, /the principal is no reference/],
    ['a principal by name', { principal: 'U::"a"' }, /the principal is no reference/],
    [
      'an unknown extension function',
      { context: { n: { __extn: { fn: 'unknown', arg: 'x' } } } },
      /does not exist/,
    ],
    [
      'a circle',
      { entities: [{ uid: uid('U', 'a'), attrs: {}, parents: [uid('U', 'a')] }] },
      /its own ancestor/,
    ],
  ])('%s', (_what, request, message) => expect(refusal(request)).toMatch(message));

  it.each<[string, Partial<Request>, RegExp]>([
    ['an unknown action', { action: uid('Action', 'write') }, /does not exist in the supplied schema/],
    ['an unknown type', { principal: uid('Z', 'a') }, /not declared in the schema/],
    ['a type that the action does not apply to', { principal: uid('G', 'a') }, /is not valid for/],
    ['a context of the wrong type', { context: { n: '1' } }, /expected long, got string/],
    ['an unknown attribute', { context: { m: 1 } }, /is not in the schema/],
    ['an id that is not enumerated', { resource: uid('E', 'b') }, /enumerated/],
  ])('%s, where there is a schema', (_what, request, message) =>
    expect(refusal(request, schema)).toMatch(message),
  );
});

describe('size', () => {
  it('of a request may be a million entities in one chain', () => {
    const entities = Array.from({ length: 1_000_000 }, (_, n) => ({
      uid: uid('U', String(n)),
      attrs: {},
      parents: n === 999_999 ? [] : [uid('U', String(n + 1))],
    }));
    const set = PolicySet.prepare({ policies: 'permit (principal in U::"999999", action, resource);' });
    expect(set.evaluate({ ...asked, principal: uid('U', '0'), entities }).decision).toBe('allow');
  });

  it('of a pattern bomb costs nothing', () => {
    const set = PolicySet.prepare({ policies: permitWhen(`context.s like "${'*a'.repeat(300)}*b"`) });
    expect(set.evaluate({ ...asked, context: { s: 'a'.repeat(1_000_000) } }).decision).toBe('deny');
  });
});

it('policies are formatted as the reference does', () =>
  expect(formatted('permit(principal,action,resource);')).toBe('permit (principal, action, resource);\n'));
