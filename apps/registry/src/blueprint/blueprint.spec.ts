import { describe, it } from '@jest/globals';
import { Sensitivity } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { givenFor } from '@writ/testing/decider.js';
import { type BlueprintCommand, type BlueprintEvent, blueprintDecider } from './blueprint.js';

const blueprintId = 'bpr_01JDKF0000000000000000000A';
const provenance = { modelDigest: 'sha-256:m', systemPromptDigest: '', toolsDigest: '', imageDigest: '' };
const described = {
  blueprintId,
  displayName: 'payer',
  owner: 'finance',
  provenance,
  sensitivityMax: Sensitivity.SENSITIVITY_CONFIDENTIAL,
};
const define: BlueprintCommand = { type: 'DefineBlueprint', ...described };
const defined: BlueprintEvent = { type: 'BlueprintDefined', data: described };
const retired: BlueprintEvent = { type: 'BlueprintRetired', data: { blueprintId } };

const given = givenFor(blueprintDecider);

describe('a blueprint', () => {
  it('is defined', () => given().when(define).then(defined));
  it('is defined once', () => given(defined).when(define).thenRefused('BLUEPRINT_ALREADY_DEFINED'));
  it('can be retired', () => given(defined).when({ type: 'RetireBlueprint', blueprintId }).then(retired));
  it('stays retired when retired twice', () =>
    given(defined, retired).when({ type: 'RetireBlueprint', blueprintId }).thenNothing());
  it('cannot be retired before it is defined', () =>
    given().when({ type: 'RetireBlueprint', blueprintId }).thenRefused('BLUEPRINT_UNKNOWN'));
});
