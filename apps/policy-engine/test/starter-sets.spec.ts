import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Files } from '@writ/cli/files.js';
import { PolicyFolder } from '@writ/cli/policy-folder.js';
import { policiesOf } from '@writ/cli/policy-texts.js';
import { Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { PolicyTest } from '@writ/contracts/writ/policy/v1/policy_set_facts.js';
import { runTests, testProblems } from '../src/policy-set/policy-test.flow.js';
import { comparedCedar, HeardEvaluations } from './cedar.js';

const folder = join(import.meta.dirname, '..', 'policies');
const useCases = ['ci-cd', 'customer-support', 'finance', 'healthcare', 'it-operations', 'soc'];
const input = { tty: false, read: async () => Buffer.alloc(0), line: async () => '' };
const heard = new HeardEvaluations();
const language = comparedCedar(heard);

async function setOf(name: string) {
  const { policies, schema, tests } = (
    await PolicyFolder.read(name, new Files({ cwd: folder, input }))
  ).request();
  return { policies, schema, tests: tests.map((test) => PolicyTest.fromJSON(test)) };
}
const results = async (name: string) => {
  const { tests, ...source } = await setOf(name);
  return runTests(language, source, tests);
};

it('there is a set for each use case, and the one that a first start applies', () => {
  const found = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(found.map(({ name }) => name).sort()).toEqual([...useCases, 'starter'].sort());
});

describe.each([...useCases, 'starter'])('the policies of %s', (name) => {
  it('fit their schema, and what the engine asks', async () =>
    expect(language.problems(await setOf(name))).toEqual([]));
  it('have tests that could be asked', async () =>
    expect(Object.values(testProblems((await setOf(name)).tests)).filter(Boolean)).toEqual([]));
  it('pass all of them', async () =>
    expect(
      (await results(name)).flatMap(({ name: test, failure }) => (failure ? [`${test}: ${failure}`] : [])),
    ).toEqual([]));
  it('are compiled, every one, and decided as the reference decides', async () => {
    heard.causes.length = 0;
    const tested = await results(name);
    expect(heard).toEqual({ causes: tested.map(() => 'sample'), differences: [] });
  });
  it('decide each in one at least, so that none is there for nothing', async () => {
    const decided = new Set((await results(name)).flatMap(({ policies }) => policies));
    expect(policiesOf((await setOf(name)).policies).filter(({ id }) => !decided.has(id))).toEqual([]);
  });
  it('allow, deny and ask people', async () =>
    expect(new Set((await results(name)).map(({ outcome }) => outcome))).toEqual(
      new Set([Outcome.OUTCOME_ALLOW, Outcome.OUTCOME_DENY, Outcome.OUTCOME_APPROVAL_NEEDED]),
    ));
});
