import { describe, expect, it } from '@jest/globals';
import { CedarWasm } from './cedar-wasm.provider.js';
import { policyLanguageContract, request, schema } from './policies.provider.contract.js';

policyLanguageContract('Cedar in WebAssembly', () => new CedarWasm());

describe('an answer of Cedar', () => {
  const policies = '@id("p") permit (principal, action, resource) when { context.purpose != "" };';
  const answered = (purpose: string) => {
    const set = new CedarWasm().compile({ policies, schema, policySetId: 'pol_1', version: 1 });
    const asked = { ...request, actionName: 'payment:pay', context: { ...request.context, purpose } };
    return [set.answer(asked), set.answer(asked)] as const;
  };
  it('is remembered for a short question', () => {
    const [first, second] = answered('a supplier run');
    expect(second).toBe(first);
  });
  it('is made anew for a question of more than 4096 characters, so that what is remembered stays small', () => {
    const [first, second] = answered('x'.repeat(4_097));
    expect(second).not.toBe(first);
    expect(second).toEqual(first);
  });
});
