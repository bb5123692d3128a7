import { Module } from '@nestjs/common';
import { actionFromMessage, actionJson } from '@writ/authority';
import { DecisionMade, Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { Action } from '@writ/contracts/writ/type/v1/authority.js';
import { EventStore } from '@writ/event-store';
import { digestOfJson } from '@writ/kernel';
import { OwnCalls, type RunningService, type ServiceDefinition, sha256 } from '@writ/service';

@Module({})
class Nothing {}

/** A policy engine that only records: what it says is up to the test, how it travels is real. */
export const askerService: ServiceDefinition = {
  name: 'policy-engine',
  module: Nothing,
  edges: [],
  views: [],
  reactions: [],
};

/** Records a decision that people have to agree with first. */
export async function askPeople(asker: RunningService, wish: Partial<DecisionMade> = {}): Promise<string> {
  const call = asker.app.get(OwnCalls).next('a test');
  const [decisionId, sessionId, agentId] = [call.newId('dec'), call.newId('ses'), call.newId('agt')];
  const action = Action.fromPartial({
    type: 'payment',
    name: 'pay',
    identifier: 'invoices/C',
    amount: { currencyCode: 'EUR', value: '4000' },
    attributes: [{ name: 'supplier', value: { $case: 'stringValue', value: 'ACME' } }],
  });
  const made = DecisionMade.fromPartial({
    decisionId,
    sessionId,
    agentId,
    outcome: Outcome.OUTCOME_APPROVAL_NEEDED,
    personId: call.newId('psn'),
    sponsorId: call.newId('psn'),
    action,
    actionDigest: digestOfJson(
      { action: actionJson(actionFromMessage(action)), session_id: sessionId },
      sha256,
    ),
    purpose: 'September supplier run',
    task: 'pay invoice C',
    approvalDemand: { quorum: 1, ttlSeconds: 3600 },
    decideTime: call.at,
    ...wish,
  });
  const facts = [{ type: 'DecisionMade', data: DecisionMade.encode(made).finish() }];
  const append = {
    streamId: `decision-${decisionId}`,
    kind: 'decision',
    partKey: agentId,
    expected: 'none' as const,
  };
  await asker.app.get(EventStore).append([{ ...append, facts, call }]);
  return decisionId;
}
