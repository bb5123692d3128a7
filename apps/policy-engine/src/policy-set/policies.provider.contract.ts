import { beforeAll, describe, expect, it } from '@jest/globals';
import type { PolicyRequest } from '../decision/policy-request.js';
import type { CompiledPolicies, PolicyLanguage } from './policies.provider.js';

export const schema = `
entity Person; entity Team; entity Blueprint; entity Location;
entity Agent in [Team, Blueprint] { sponsor: Person, sensitivity: String };
entity Resource in [Location] { type: String, location: String, identifier: String };
action "money";
action "payment:pay" in ["money"] appliesTo { principal: Agent, resource: Resource, context: {
  purpose: String, person: Person, agents: Set<Agent>, depth: Long, trust: Long, environment: String,
  datatypes: Set<String>, now: datetime, amount?: decimal, currency?: String,
  attributes: { country?: String, rank?: Long, urgent?: Bool } } };
action "payment:read" in ["money"] appliesTo { principal: Agent, resource: Resource, context: { trust: Long } };
`;

export const request: PolicyRequest = {
  agent: {
    id: 'agt_1',
    owner: 'finance',
    sponsorId: 'psn_1',
    blueprintId: 'bpr_1',
    environment: 3,
    sensitivity: 3,
    attested: true,
    suspended: false,
    orphaned: false,
    retired: false,
    trustScore: 70,
  },
  actionName: 'payment:pay',
  resource: { type: 'payment', location: 'pg://erp', identifier: 'invoices/A' },
  context: {
    purpose: 'September supplier run',
    task: 'pay invoice A',
    personId: 'psn_1',
    agentIds: ['agt_1'],
    depth: 0,
    trust: 70,
    environment: 'production',
    datatypes: ['invoice'],
    amount: '1200.50',
    currency: 'EUR',
    at: new Date('2026-09-01T09:00:00Z'),
  },
  attributes: {},
};

const permit = '@id("p") permit (principal, action == Action::"payment:pay", resource)';
const forbid = '@id("f") forbid (principal, action == Action::"payment:pay", resource)';

/** What every carrier of `PolicyLanguage` promises. */
export function policyLanguageContract(name: string, language: () => PolicyLanguage): void {
  let carrier: PolicyLanguage;
  beforeAll(() => {
    carrier = language();
  });
  const compile = (policies: string, version = 1): CompiledPolicies =>
    carrier.compile({ policies, schema, policySetId: `pol_${version}`, version });
  const ask = (policies: string, change: Partial<PolicyRequest> = {}) =>
    compile(policies).answer({ ...request, ...change });
  const context = (change: Partial<PolicyRequest['context']>) => ({
    context: { ...request.context, ...change },
  });

  describe(`${name}: an answer`, () => {
    it('permits nothing without a policy', () => {
      expect(ask('')).toEqual({ decision: 'deny', policyIds: [], errors: [] });
    });
    it('names the permits that decided, by their id', () => {
      expect(ask(`${permit}; @id("q") permit (principal, action, resource);`).policyIds).toEqual(['p', 'q']);
    });
    it('lets a forbid win over every permit and names it alone', () => {
      expect(ask(`${permit}; ${forbid};`)).toEqual({ decision: 'deny', policyIds: ['f'], errors: [] });
    });
    it('tells of a policy that could not be evaluated', () => {
      const overflow = `${permit}; ${forbid} when { context.trust * 9223372036854775807 > 0 };`;
      const answer = ask(overflow);
      expect(answer.errors).toHaveLength(1);
      expect(answer.errors[0]).toContain('`f`');
    });
    it('asks for the most people and the shortest time when several permits need approval', () => {
      const two = `@requires_approval("quorum=1,ttl=60") ${permit};
        @id("q") @requires_approval("quorum=2,ttl=3600") permit (principal, action, resource);`;
      expect(ask(two).approvalDemand).toEqual({ quorum: 2, ttlSeconds: 60 });
    });
    it('asks for no approval because of a permit that did not apply', () => {
      const large = '@requires_approval("quorum=1,ttl=60") @id("q") permit (principal, action, resource)';
      expect(ask(`${permit}; ${large} when { context.trust > 99 };`).approvalDemand).toBeUndefined();
    });
  });

  describe(`${name}: a policy sees`, () => {
    const sees: readonly (readonly [string, string])[] = [
      ['the amount, exactly', 'context has amount && context.amount == decimal("1200.50")'],
      ['the currency', 'context has currency && context.currency == "EUR"'],
      ['the purpose', 'context.purpose == "September supplier run"'],
      ['the person at the root', 'context.person == Person::"psn_1"'],
      ['every agent of the chain', 'context.agents.contains(Agent::"agt_1")'],
      ['depth and trust', 'context.depth == 0 && context.trust == 70'],
      ['the environment', 'context.environment == "production"'],
      ['the data types', 'context.datatypes.contains("invoice")'],
      ['the time', 'context.now.toDate() == datetime("2026-09-01")'],
      ['the team of the agent', 'principal in Team::"finance"'],
      ['the blueprint of the agent', 'principal in Blueprint::"bpr_1"'],
      ['the sponsor', 'principal.sponsor == Person::"psn_1"'],
      ['the sensitivity', 'principal.sensitivity == "confidential"'],
      [
        'itself where it is named',
        'Agent::"agt_1".sensitivity == "confidential" && Agent::"agt_1" in Team::"finance"',
      ],
      ['which agent it is', 'principal == Agent::"agt_1"'],
      ['the place', 'resource in Location::"pg://erp" && resource.location like "pg://*"'],
      ['the thing', 'resource == Resource::"invoices/A" && resource.type == "payment"'],
    ];
    it.each(sees)('%s', (_title, condition) => {
      expect(ask(`${permit} when { ${condition} };`)).toMatchObject({ decision: 'allow', errors: [] });
      expect(ask(`${permit} when { !(${condition}) };`)).toMatchObject({ decision: 'deny', errors: [] });
    });
    it('scopes over teams, places and groups', () => {
      const scoped =
        '@id("p") permit (principal in Team::"finance", action in Action::"money", resource in Location::"pg://erp");';
      expect(ask(scoped).decision).toBe('allow');
      expect(ask(scoped.replace('finance', 'sales')).decision).toBe('deny');
      expect(ask(scoped.replace('pg://erp', 'pg://crm')).decision).toBe('deny');
    });
    it('each question anew, however alike', () => {
      const compiled = compile(
        `${permit} when { context has amount && context.amount.lessThan(decimal("1200.50")) };`,
      );
      const amounts = ['1200.50', '1200.49', '1200.50', '1200.49', '1200.5'];
      const answers = amounts.map(
        (amount) => compiled.answer({ ...request, ...context({ amount }) }).decision,
      );
      expect(answers).toEqual(['deny', 'allow', 'deny', 'allow', 'deny']);
    });
    it('no amount where there is none', () => {
      const { amount: _a, currency: _c, ...rest } = request.context;
      expect(ask(`${permit} when { context has amount };`, { context: rest }).decision).toBe('deny');
      expect(ask(`${permit} unless { context has amount };`, { context: rest }).decision).toBe('allow');
    });
    it('attributes of the action that the schema declares', () => {
      const german = `${permit} when { context.attributes has country && context.attributes.country == "DE" };`;
      expect(ask(german, { attributes: { country: 'DE' } }).decision).toBe('allow');
      expect(ask(german, { attributes: { country: 'FR' } }).decision).toBe('deny');
      expect(ask(german, { attributes: { undeclared: 'DE' } })).toMatchObject({
        decision: 'deny',
        errors: [],
      });
    });
    it('no attribute of another type: the question is an error, not a forbid that looks away', () => {
      const policies = `${permit}; ${forbid} when { context.attributes has country && context.attributes.country == "XX" };`;
      expect(ask(policies, { attributes: { country: 5 } }).errors).toEqual([
        'attribute `country` must be String',
      ]);
      expect(ask(policies, { attributes: { country: 'XX' } }).policyIds).toEqual(['f']);
    });
  });

  describe(`${name}: an amount`, () => {
    it('that is too large to compare is an error', () => {
      const small = `${permit} when { context has amount && context.amount.lessThan(decimal("2000.00")) };`;
      const answer = ask(small, context({ amount: '999999999999999999.99' }));
      expect(answer.decision).toBe('deny');
      expect(answer.errors).toHaveLength(1);
    });
  });

  describe(`${name}: what cannot be applied`, () => {
    const problems = (policies: string, changed = schema) => carrier.problems({ policies, schema: changed });
    const first = (policies: string, changed = schema) => problems(policies, changed)[0];
    it('nothing, when all is well', () => expect(problems(`${permit};`)).toEqual([]));
    it('policies that do not parse, with line and column', () => {
      expect(first(`${permit};\n  permit principal`)).toMatchObject({
        field: 'policies',
        line: 2,
        column: 10,
      });
    });
    it('columns are counted in characters', () => {
      expect(first('@x("é") permit [')).toMatchObject({ line: 1, column: 16 });
    });
    it('a schema that does not parse', () => {
      expect(first(`${permit};`, 'entity Agent {\n foo: ')).toMatchObject({ field: 'schema', line: 2 });
    });
    it('a policy about something that the schema does not know', () => {
      const problem = first(
        `${permit};\n@id("q") permit (principal, action, resource) when { context.colour == "red" };`,
      );
      expect(problem).toMatchObject({ field: 'policies', line: 2 });
      expect(problem?.message).toContain('colour');
    });
    it('a policy that can never apply', () => {
      expect(
        first('@id("p") forbid (principal is Person, action == Action::"payment:pay", resource);')?.message,
      ).toContain('impossible');
    });
    it.each([
      ['without a name', 'permit (principal, action, resource);', 'needs a name'],
      ['with the name of another', `${permit}; ${permit};`, 'two policies are named `p`'],
      ['that is a template', '@id("t") permit (principal == ?principal, action, resource);', 'template'],
      ['that asks nonsense of approvers', `@requires_approval("two") ${permit};`, 'quorum=1,ttl=3600'],
      ['that asks nobody', `@requires_approval("quorum=0,ttl=3600") ${permit};`, 'quorum=1,ttl=3600'],
      ['that asks for a second', `@requires_approval("quorum=1,ttl=1") ${permit};`, 'quorum=1,ttl=3600'],
      ['that would lift a forbid', `@requires_approval("quorum=1,ttl=60") ${forbid};`, 'belongs on a permit'],
    ])('a policy %s', (_title, policies, message) => {
      expect(problems(policies).map((problem) => problem.message)).toEqual([
        expect.stringContaining(message),
      ]);
    });
    it.each([
      [
        'an amount as text',
        'amount?: decimal',
        'amount?: String',
        '`amount` of the context of action `payment:pay` is decimal',
      ],
      ['an amount that is always there', 'amount?: decimal', 'amount: decimal', 'declare `amount?`'],
      ['something that is never said', 'purpose: String', 'mood: String', 'has no `mood`'],
      ['an agent with other attributes', 'sponsor: Person', 'salary: Long', 'entity `Agent` has no `salary`'],
      ['an attribute that is no scalar', 'rank?: Long', 'rank?: Set<Long>', 'attribute `rank`'],
      ['an action without a type', '"payment:read"', '"read"', 'must be named'],
      ['teams within teams', 'entity Team;', 'entity Team in [Team];', 'entity `Team` is never in a `Team`'],
      [
        'people in teams',
        'entity Person;',
        'entity Person in [Team];',
        'entity `Person` is never in a `Team`',
      ],
      [
        'agents in something else',
        'entity Agent in [Team, Blueprint]',
        'entity Department; entity Agent in [Team, Blueprint, Department]',
        'entity `Agent` is never in a `Department`',
      ],
      [
        'resources in teams',
        'entity Resource in [Location]',
        'entity Resource in [Location, Team]',
        'entity `Resource` is never in a `Team`',
      ],
      [
        'something unasked about in teams',
        'entity Person;',
        'entity Person; entity Office in [Team];',
        'entity `Office` is never in a `Team`',
      ],
    ])('a schema with %s', (_title, before, after, message) => {
      expect(problems('', schema.replace(before, after)).map((problem) => problem.message)).toEqual([
        expect.stringContaining(message),
      ]);
    });
    it('a schema with agents in teams of a namespace', () => {
      const away = schema.replace('in [Team, Blueprint]', 'in [Away::Crew]');
      const messages = problems('', `${away} namespace Away { entity Crew; }`).map(({ message }) => message);
      expect(messages).toContain('entity `Agent` is never in a `Away::Crew`');
    });
    it('a schema with fewer parents than are told of is no problem', () => {
      const fewer = schema.replace('in [Team, Blueprint]', 'in [Team]').replace('in [Location]', '');
      expect(problems(`${permit} when { principal in Team::"finance" };`, fewer)).toEqual([]);
    });
    it('compiling it throws', () => expect(() => compile('permit principal')).toThrow('not valid'));
  });

  describe(`${name}: a set that was released`, () => {
    it('denies everything, and the next one does not notice', () => {
      const [one, two] = [compile(`${permit};`, 1), compile(`${permit};`, 1)];
      expect([one.answer(request).decision, two.answer(request).decision]).toEqual(['allow', 'allow']);
      one.release();
      expect([one.answer(request).decision, two.answer(request).decision]).toEqual(['deny', 'allow']);
    });
    it('knows which actions its schema names', () => {
      expect(['payment:pay', 'payment:void', 'money'].map((action) => compile('').hasAction(action))).toEqual(
        [true, false, false],
      );
    });
  });
}
