import { describe, expect, it } from '@jest/globals';
import { readTestFile } from './policy-test-file.js';

const read = (text: string) => readTestFile('tests/a.yaml', text);
const found = (text: string) =>
  read(text).findings.map(({ line, column, message }) => [line, column, message]);

describe('a file of policy tests', () => {
  it('is read as the contract says, with short forms for amounts, attributes and outcomes', () =>
    expect(
      read(`tests:
  - name: pays
    agent: { owner: finance, sensitivity: confidential }
    action: { type: payment, name: pay, amount: 10EUR, attributes: { country: DE } }
    trust: 70
    environment: production
    time: 2026-03-02T22:00:00Z
    expect: allow
`).tests,
    ).toEqual([
      {
        name: 'pays',
        agent: { owner: 'finance', sensitivity: 'SENSITIVITY_CONFIDENTIAL' },
        action: {
          type: 'payment',
          name: 'pay',
          amount: { currencyCode: 'EUR', value: '10' },
          attributes: [{ name: 'country', stringValue: 'DE' }],
        },
        trust: 70,
        environment: 'ENVIRONMENT_PRODUCTION',
        time: '2026-03-02T22:00:00.000Z',
        expect: { outcome: 'OUTCOME_ALLOW' },
      },
    ]));
  it('gives every test what it says holds in all of them, unless the test says otherwise', () => {
    const { tests, findings } = read(`given:
  agent: { owner: finance, sensitivity: internal }
  trust: 70
tests:
  - { name: as given, expect: deny }
  - { name: of another team, trust: 20, agent: { owner: sales }, expect: { outcome: approval-needed, quorum: 2 } }
`);
    expect(findings).toEqual([]);
    const sensitivity = 'SENSITIVITY_INTERNAL';
    expect(tests).toMatchObject([
      {
        name: 'as given',
        trust: 70,
        agent: { owner: 'finance', sensitivity },
        expect: { outcome: 'OUTCOME_DENY' },
      },
      {
        trust: 20,
        agent: { owner: 'sales', sensitivity },
        expect: { outcome: 'OUTCOME_APPROVAL_NEEDED', quorum: 2 },
      },
    ]);
  });
  it('knows where each test and each part of it stands', () => {
    const file = read('tests:\n  - name: one\n  - name: two\n    agent:\n      owner: finance\n');
    expect(file.placeOf(1, '')).toEqual({ file: 'tests/a.yaml', line: 3, column: 5 });
    expect(file.placeOf(1, 'agent.owner')).toMatchObject({ line: 5, column: 7 });
    expect(file.placeOf(1, 'agent.agent_id')).toMatchObject({ line: 4, column: 5 });
  });
});

describe('what is wrong in a file of policy tests is named with its place:', () => {
  it('an unknown member, at any depth', () => {
    const [[line, column, message] = []] = found('tests:\n  - name: one\n    agent:\n      ownr: finance\n');
    expect([line, column]).toEqual([4, 7]);
    expect(message).toMatch(/^`tests\[0\].agent.ownr` is no field; there are `agent_id`, `owner`/);
  });
  it('an unknown member beside the tests', () =>
    expect(found('test: []\ntests: []\n')).toEqual([
      [1, 1, '`test` is no member; there are `given`, `tests`'],
    ]));
  it('a value of another type', () =>
    expect(found('tests:\n  - trust: high\n')).toEqual([
      [2, 5, '`tests[0].trust` must be a whole number of at most 31 bits'],
    ]));
  it('an attribute, by its own line', () =>
    expect(
      found('tests:\n  - action:\n      attributes:\n        a: 1\n        b: [1]\n').map(([line]) => line),
    ).toEqual([5]));
  it('something in what is given', () =>
    expect(found('given:\n  trust: x\ntests: []\n').map(([line]) => line)).toEqual([2]));
  it('what belongs to one test alone, in what is given', () =>
    expect(found('given:\n  expect: allow\ntests: []\n')).toEqual([
      [2, 3, '`given.expect` is of one test alone'],
    ]));
  it('a duration in place of a time', () =>
    expect(found('tests:\n  - time: 4h\n')).toEqual([
      [2, 5, '`tests[0].time` must be an RFC 3339 time: a test has one answer for ever'],
    ]));
  it('no list of tests', () => {
    for (const text of ['', 'tests: 1', '[]', 'given: {}']) expect(found(text)).toHaveLength(1);
  });
  it('YAML that does not parse', () => {
    const [[line] = []] = found('tests:\n  - name: "one\n');
    expect(line).toBeGreaterThan(1);
  });
  it('with the line itself and a caret under the place', () =>
    expect(read('tests:\n  - trust: high\n').findings[0]?.excerpt).toBe('  - trust: high\n    ^'));
});
