import { describe, expect, it } from '@jest/globals';
import type { Answer } from './answer.js';
import { PolicySet, type Request } from './policy-set.js';
import { ReferenceSet } from './reference.provider.js';
import { InvalidSource } from './source-problem.js';

const alice = { type: 'User', id: 'alice' };
const read = { type: 'Action', id: 'read' };
const plan = { type: 'Document', id: 'plan' };
const asked: Request = { principal: alice, action: read, resource: plan };

const schema = `entity Team; entity User in [Team] = { "level": Long }; entity Document;
action any; action read in [any] appliesTo { principal: User, resource: Document, context: { "amount"?: Long } };`;
const entity = (uid: object, parents: object[] = [], attrs: object = {}) => ({ uid, parents, attrs });

const prepare = (policies: string | Record<string, string>) => PolicySet.prepare({ policies });
const decide = (policies: string, request: Partial<Request> = {}) =>
  prepare(policies).evaluate({ ...asked, ...request });

describe('a policy set', () => {
  it('allows what a permit permits', () =>
    expect(decide('permit (principal, action, resource);')).toEqual({
      decision: 'allow',
      reasons: ['policy0'],
      errors: [],
    }));

  it('denies what nothing permits', () =>
    expect(decide('permit (principal == User::"bob", action, resource);')).toEqual({
      decision: 'deny',
      reasons: [],
      errors: [],
    }));

  it('denies what a forbid forbids, whatever permits it, and names the forbids only', () =>
    expect(decide('permit (principal, action, resource); forbid (principal, action, resource);')).toEqual({
      decision: 'deny',
      reasons: ['policy1'],
      errors: [],
    }));

  it('skips a policy that fails and tells so', () =>
    expect(
      decide(
        'permit (principal, action, resource); forbid (principal, action, resource) when { context.x };',
      ),
    ).toEqual({
      decision: 'allow',
      reasons: ['policy0'],
      errors: [{ policyId: 'policy1', message: 'record does not have the attribute `x`' }],
    }));

  it('names reasons in the order of the set', () => {
    const permits = [
      'principal',
      'principal == User::"alice"',
      'principal is User',
      'principal in User::"alice"',
    ];
    const { reasons } = decide(permits.map((one) => `permit (${one}, action, resource);`).join('\n'));
    expect(reasons).toEqual(['policy0', 'policy1', 'policy2', 'policy3']);
  });

  it('finds a policy once that names an action and its group', () => {
    const { reasons } = decide('permit (principal, action in [Action::"read", Action::"any"], resource);', {
      entities: [entity(read, [{ type: 'Action', id: 'any' }])],
    });
    expect(reasons).toEqual(['policy0']);
  });

  it('finds policies of every ancestor', () => {
    const [team, all] = [
      { type: 'Team', id: 'a' },
      { type: 'Team', id: 'all' },
    ];
    const { reasons } = decide(
      'permit (principal in Team::"all", action, resource); permit (principal is User in Team::"a", action, resource);',
      { entities: [entity(alice, [team]), entity(team, [all])] },
    );
    expect(reasons).toEqual(['policy0', 'policy1']);
  });

  it('takes over what has the same text, and forgets nothing of what it was', () => {
    const first = prepare({
      a: 'permit (principal, action, resource);',
      b: 'forbid (principal, action, resource);',
    });
    const second = PolicySet.prepare({ policies: { c: 'permit (principal, action, resource);' } }, first);
    expect(second.evaluate(asked)).toMatchObject({ decision: 'allow', reasons: ['c'] });
    expect(first.evaluate(asked)).toMatchObject({ decision: 'deny', reasons: ['b'] });
  });

  it('tells what its policies are', () =>
    expect(prepare('@id("pay") @note("x") permit (principal, action, resource);').policies).toEqual([
      {
        id: 'policy0',
        effect: 'permit',
        annotations: { id: 'pay', note: 'x' },
        text: '@id("pay") @note("x") permit (principal, action, resource);',
        json: expect.objectContaining({ effect: 'permit', action: { op: 'All' }, conditions: [] }),
      },
    ]));

  it('takes entities of a version with the same schema, and of no other', () => {
    const policies = { a: 'permit (principal, action, resource);' };
    const first = PolicySet.prepare({ policies, schema });
    const entities = first.entities([entity(alice, [], { level: 1 })]);
    const same = PolicySet.prepare({ policies, schema }, first);
    expect(same.evaluate({ ...asked, entities }).decision).toBe('allow');
    expect(PolicySet.prepare({ policies, schema }).evaluate({ ...asked, entities })).toMatchObject({
      decision: 'deny',
      errors: [{ policyId: undefined, message: 'the entities were read with another schema' }],
    });
  });

  it('has no schema when its version has none, whatever the one before had', () => {
    const policies = { a: 'permit (principal, action, resource);' };
    const second = PolicySet.prepare({ policies }, PolicySet.prepare({ policies, schema }));
    expect(second.evaluate({ ...asked, context: { unknown: 1 } }).decision).toBe('allow');
  });

  it('refuses every question after its release', () => {
    const set = prepare('permit (principal, action, resource);');
    set.release();
    expect(set.evaluate(asked)).toMatchObject({
      decision: 'deny',
      errors: [{ message: 'the policy set is released' }],
    });
  });

  it('fills the slots of templates by links', () => {
    const policies = { t: 'permit (principal == ?principal, action, resource in ?resource);' };
    const link = (policyId: string, principal: object) => ({
      policyId,
      templateId: 't',
      slots: { '?principal': principal, '?resource': plan },
    });
    const set = PolicySet.prepare({ policies, links: [link('a', alice), link('b', plan)] });
    expect(set.evaluate(asked).reasons).toEqual(['a']);
  });

  it.each([
    ['no such template', { links: [{ policyId: 'a', templateId: 'z', slots: {} }] }],
    ['a slot that stays open', { links: [{ policyId: 'a', templateId: 't', slots: {} }] }],
    [
      'slots that it does not have',
      { links: [{ policyId: 'a', templateId: 't', slots: { '?principal': alice, '?resource': plan } }] },
    ],
    ['a name that is taken', { links: [{ policyId: 't', templateId: 't', slots: { '?principal': alice } }] }],
  ])('refuses a link to %s', (_what, links) =>
    expect(() =>
      PolicySet.prepare({ policies: { t: 'permit (principal == ?principal, action, resource);' }, ...links }),
    ).toThrow(InvalidSource),
  );
});

describe('a policy that the compiler does not take', () => {
  // A text that looks like a marked integer, beside an integer that has to be marked.
  const mixed = (effect: string, rest: string) =>
    `${effect} (principal, action == Action::"read", resource) when { "writ-long-integer:1" != "" && 9007199254740993 == ${rest} };`;

  it('is evaluated by the reference, and counted', () => {
    const set = prepare(mixed('permit', '9007199254740993'));
    expect(set.referencePolicyIds).toEqual(['policy0']);
    expect(set.evaluate(asked)).toEqual({ decision: 'allow', reasons: ['policy0'], errors: [] });
    expect(set.evaluatedByReference).toBe(1);
  });

  it('is not asked about where its scope does not match', () => {
    const set = prepare(mixed('permit', '9007199254740993'));
    set.evaluate({ ...asked, action: { type: 'Action', id: 'write' } });
    expect(set.evaluatedByReference).toBe(0);
  });

  it('forbids like others', () =>
    expect(
      decide(`permit (principal, action, resource); ${mixed('forbid', 'context.n')}`, {
        context: { n: 9007199254740993n },
      }),
    ).toEqual({
      decision: 'deny',
      reasons: ['policy1'],
      errors: [],
    }));

  it('is skipped when it fails', () =>
    expect(decide(mixed('permit', 'context.n'))).toMatchObject({
      decision: 'deny',
      errors: [{ policyId: 'policy0', message: expect.stringContaining('does not have the attribute') }],
    }));

  it('sees the entities, and is a template like others', () => {
    const text = `permit (principal == ?principal, action, resource) when { "writ-long-integer:1" != "" && 9007199254740993 > principal.level };`;
    const set = PolicySet.prepare({
      policies: { t: text },
      links: [{ policyId: 'a', templateId: 't', slots: { '?principal': alice } }],
      schema,
    });
    const entities = set.entities([entity(alice, [], { level: 3 })]);
    expect(set.evaluate({ ...asked, entities })).toEqual({ decision: 'allow', reasons: ['a'], errors: [] });
    expect(set.evaluatedByReference).toBe(1);
    set.release();
  });
});

describe('the reference, asked about a whole set', () => {
  const texts = {
    p: 'permit (principal, action, resource);',
    f: 'forbid (principal, action, resource) when { context.n > 1 };',
  };
  const whole = { principal: alice, action: read, resource: plan, entities: [] };

  it('decides as the compiled set does, errors among it', () => {
    const [set, reference] = [
      PolicySet.prepare({ policies: texts }),
      new ReferenceSet({ staticPolicies: texts }),
    ];
    for (const context of [{ n: 1 }, { n: 2 }, {}]) {
      const question = { ...whole, context };
      const idsOf = ({ decision, reasons, errors }: Answer) => ({
        decision,
        reasons,
        errors: errors.map(({ policyId }) => policyId),
      });
      expect(idsOf(reference.evaluate(question))).toEqual(idsOf(set.evaluate(question)));
    }
    reference.release();
  });
  it('refuses a question that is none', () => {
    const reference = new ReferenceSet({ staticPolicies: texts });
    expect(reference.evaluate({ ...whole, context: 7 })).toMatchObject({
      decision: 'deny',
      errors: [{ policyId: undefined }],
    });
    reference.release();
  });
  it('does not take what is no policy', () =>
    expect(() => new ReferenceSet({ staticPolicies: { p: 'permit' } })).toThrow('does not take'));
});
