import { describe, expect, it } from '@jest/globals';
import { type Answer, PolicySet, ReferenceSet } from '@writ/cedar';
import { readSettings, SystemClock } from '@writ/service';
import { HeardEvaluations } from '../../test/cedar.js';
import { PolicyEngineSettings } from '../policy-engine.settings.js';
import type { CedarQuestion } from './cedar-request.provider.js';
import { CheckedEvaluation, Sample } from './checked-evaluation.provider.js';

const policies = {
  p: 'permit (principal, action, resource);',
  f: 'forbid (principal, action, resource) when { context.secret == "hunter2" };',
};
const question = (secret: string): CedarQuestion => ({
  principal: { type: 'Agent', id: 'agt_1' },
  action: { type: 'Action', id: 'payment:pay' },
  resource: { type: 'Resource', id: 'invoices/A' },
  context: { secret },
  entities: [],
});

/** A set whose compiled answers are changed before anybody sees them. */
function evaluationWith(plant: (answer: Answer) => Answer, takes = () => true) {
  const heard = new HeardEvaluations();
  const set = PolicySet.prepare({ policies });
  const compiled = {
    evaluatedByReference: 0,
    evaluate: (asked: CedarQuestion) => plant(set.evaluate(asked)),
    release: () => set.release(),
  };
  const reference = new ReferenceSet({ staticPolicies: policies });
  const evaluation = new CheckedEvaluation(
    { policySetId: 'pol_1', version: 7 },
    { compiled: compiled as PolicySet, reference, sample: { takes }, telemetry: heard },
  );
  return { heard, evaluation };
}
const asItIs = (answer: Answer) => answer;
const allowing = (): Answer => ({ decision: 'allow', reasons: ['p'], errors: [] });

describe('a checked evaluation', () => {
  it('answers as the compiled policies where the reference agrees', () => {
    const { heard, evaluation } = evaluationWith(asItIs);
    expect(evaluation.evaluate(question('none')).decision).toBe('allow');
    expect(evaluation.evaluate(question('hunter2'))).toEqual({
      decision: 'deny',
      reasons: ['f'],
      errors: [],
    });
    expect(heard).toEqual({ causes: ['sample', 'sample'], differences: [] });
  });
  it('denies a question that the two decide differently, and says which, without what was asked', () => {
    const { heard, evaluation } = evaluationWith(allowing);
    expect(evaluation.evaluate(question('hunter2'))).toEqual({
      decision: 'deny',
      reasons: [],
      errors: [{ policyId: undefined, message: expect.stringContaining('answer differently') }],
    });
    expect(heard.differences).toEqual([
      {
        policySetId: 'pol_1',
        version: 7,
        questionDigest: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
        differing: ['decision', 'reasons'],
        compiledPolicyIds: ['p'],
        referencePolicyIds: ['f'],
      },
    ]);
    expect(JSON.stringify(heard.differences)).not.toContain('hunter2');
  });
  it('asks the reference alone from then on, whatever the sample takes', () => {
    const { heard, evaluation } = evaluationWith(allowing, () => heard.causes.length === 0);
    evaluation.evaluate(question('hunter2'));
    expect(evaluation.evaluate(question('hunter2')).reasons).toEqual(['f']);
    expect(evaluation.evaluate(question('none')).decision).toBe('allow');
    expect(heard.causes).toEqual(['sample', 'differed', 'differed']);
    expect(heard.differences).toHaveLength(1);
  });
  it.each<[string, (answer: Answer) => Answer, string[]]>([
    ['other reasons', (answer) => ({ ...answer, reasons: [] }), ['reasons']],
    ['other errors', (answer) => ({ ...answer, errors: [{ policyId: 'f', message: 'x' }] }), ['errors']],
  ])('takes %s for a difference', (_what, plant, differing) => {
    const { heard, evaluation } = evaluationWith(plant);
    expect(evaluation.evaluate(question('none')).decision).toBe('deny');
    expect(heard.differences[0]?.differing).toEqual(differing);
  });
  it('takes another wording of the same error for none', () => {
    const reworded = (answer: Answer): Answer => ({
      ...answer,
      errors: answer.errors.map(({ policyId }) => ({ policyId, message: 'worded otherwise' })),
    });
    const { heard, evaluation } = evaluationWith(reworded);
    evaluation.evaluate({ ...question(''), context: {} });
    expect(heard.differences).toEqual([]);
  });
  it('sees no difference in a question that is not of the sample', () => {
    const { heard, evaluation } = evaluationWith(allowing, () => false);
    expect(evaluation.evaluate(question('hunter2')).decision).toBe('allow');
    expect(heard).toEqual({ causes: [], differences: [] });
  });
});

describe('a sample', () => {
  it('of one in one is everything', () => {
    const sample = new Sample(1, new SystemClock());
    expect(Array.from({ length: 50 }, () => sample.takes())).toEqual(Array(50).fill(true));
  });
  it('of one in a thousand waits 1 to 1999 questions, as chance has it', () => {
    const waits = [0, 999, 1_998].map((drawn) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(drawn);
      const sample = new Sample(1_000, { randomBytes: () => bytes });
      return Array.from({ length: 2_000 }, () => sample.takes()).indexOf(true) + 1;
    });
    expect(waits).toEqual([1, 1_000, 1_999]);
  });
  it('is one in a thousand unless it is set, and cannot be switched off', () => {
    const { cedarShadowOneIn } = PolicyEngineSettings.table;
    expect(cedarShadowOneIn.fallback).toEqual({ value: 1_000 });
    const table = { cedarShadowOneIn };
    expect(() => readSettings(table, { WRIT_CEDAR_SHADOW_ONE_IN: '0' })).toThrow('from 1 to');
    expect(readSettings(table, { WRIT_CEDAR_SHADOW_ONE_IN: '50' })).toEqual({ cedarShadowOneIn: 50 });
  });
});
