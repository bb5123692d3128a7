import { describe, expect, it } from '@jest/globals';
import { differences } from './policy-diff.js';
import { policiesOf } from './policy-texts.js';

type Test = { name: string; [member: string]: string | number };
const set = (policies: string, schema = 's', tests: Test[] = []) => ({
  policies,
  schema,
  tests,
});
const changes = (...sets: Parameters<typeof differences>) =>
  differences(...sets).map(({ kind, id, change }) => `${kind} ${id} ${change}`);
const a = '@id("a") permit (principal, action, resource);';
const b = '@id("b")\nforbid (principal, action, resource)\nwhen { context.trust < 30 };';

describe('the policies of a text', () => {
  it('are told apart by their semicolons, outside of texts and comments', () =>
    expect(
      policiesOf(
        `// one; "two\n${a}\n@id("b") permit (principal, action, resource) when { context.task == "x;\\"y // z" };`,
      ),
    ).toEqual([
      { id: 'a', text: a },
      {
        id: 'b',
        text: '@id("b") permit (principal, action, resource) when { context.task == "x;\\"y // z" };',
      },
    ]));
  it('may lack a name or an end', () =>
    expect(policiesOf('permit (principal, action, resource)\n')).toEqual([
      { id: 'without @id', text: 'permit (principal, action, resource)' },
    ]));
});

describe('the difference between two policy sets', () => {
  it('is none when they say the same in another order and with other comments', () =>
    expect(differences(set(`${a}\n${b}`), set(`// first\n${b}\n\n// then\n${a}\n`, 's\n'))).toEqual([]));
  it('names policies that were added, removed and changed, by their ids', () =>
    expect(changes(set(`${a}${b}`), set(`${b.replace('30', '50')}${a.replace('"a"', '"c"')}`))).toEqual([
      'policy a removed',
      'policy b changed',
      'policy c added',
    ]));
  it('shows what changed in a policy', () =>
    expect(differences(set(b), set(b.replace('30', '50')))[0]?.diff).toBe(
      ' @id("b")\n forbid (principal, action, resource)\n-when { context.trust < 30 };\n+when { context.trust < 50 };',
    ));
  it('says whether the schema changed', () =>
    expect(changes(set(a, 'entity A;'), set(a, 'entity B;'))).toEqual(['schema schema changed']));
  it('names tests, and takes what is left out for what it stands for', () => {
    const before: Test[] = [{ name: 'one', depth: 0 }, { name: 'two' }, { name: 'three' }];
    const after: Test[] = [{ name: 'two', trust: 3 }, { name: 'one' }];
    expect(changes(set(a, 's', before), set(a, 's', after))).toEqual([
      'test three removed',
      'test two changed',
    ]);
  });
});
