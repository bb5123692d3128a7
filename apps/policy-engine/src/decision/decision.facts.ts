import { DecisionMade } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import type { Facts } from '@writ/event-store';

/** A decision has one fact and no further life: there is no decider, `decision.ts` is the rule. */
export type DecisionEvent = { type: 'DecisionMade'; data: DecisionMade };

export const decisionFacts: Facts<DecisionEvent> = { DecisionMade };
