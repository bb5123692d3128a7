import { type Action, type AttributeValue, moneyJson } from '@writ/authority';
import type { KnownAgent, KnownSession } from './knowledge.js';

/** One question to the policies, in Writ's own terms. What Cedar is told is in `policies/README.md`. */
export interface PolicyRequest {
  readonly agent: KnownAgent;
  /** `payment:pay` */
  readonly actionName: string;
  readonly resource: { readonly type: string; readonly location: string; readonly identifier: string };
  readonly context: PolicyContext;
  readonly attributes: { readonly [name: string]: AttributeValue };
}

export interface PolicyContext {
  readonly purpose: string;
  /** What the agent said it would do, in its own words. */
  readonly task: string;
  /** The person at the root. */
  readonly personId: string;
  /** Every agent of the chain, from the one under the mandate to the one that acts. */
  readonly agentIds: readonly string[];
  /** Hops below the mandate. */
  readonly depth: number;
  /** The weakest trust score of the chain. */
  readonly trust: number;
  /** Where the acting agent runs: `development`, `staging`, `production`, or `unknown`. */
  readonly environment: string;
  readonly datatypes: readonly string[];
  /** Decimal text with at most four places, for example `1200.50`. */
  readonly amount?: string;
  readonly currency?: string;
  readonly at: Date;
}

export interface ApprovalDemand {
  /** Different approvers, 1 to 10. */
  readonly quorum: number;
  /** How long people have to agree, and the agent to use it: 60 seconds to 7 days. */
  readonly ttlSeconds: number;
}

export interface PolicyAnswer {
  readonly decision: 'allow' | 'deny';
  /** The policies that decided, by their `@id`; none when nothing permitted. */
  readonly policyIds: readonly string[];
  /** What went wrong while policies were evaluated. Anything here means deny. */
  readonly errors: readonly string[];
  /** Of an allow: what the deciding policies ask for beside it. */
  readonly approvalDemand?: ApprovalDemand;
}

/** An applied policy set, ready to answer. The same request gives the same answer, unless the reference of Cedar contradicts it. */
export interface Policies {
  readonly policySetId: string;
  readonly version: number;
  /** Whether the schema names the action; what it does not name is never permitted. */
  hasAction(actionName: string): boolean;
  answer(request: PolicyRequest): PolicyAnswer;
}

const environments = ['unknown', 'development', 'staging', 'production'];

export function policyRequest(o: {
  readonly action: Action;
  readonly agent: KnownAgent;
  readonly session: KnownSession;
  readonly agentIds: readonly string[];
  readonly trust: number;
  readonly at: Date;
}): PolicyRequest {
  const { action, agent, session } = o;
  const amount = action.amount && moneyJson(action.amount);
  return {
    agent,
    actionName: `${action.type}:${action.name}`,
    resource: {
      type: action.type,
      location: action.location ?? '',
      identifier: action.identifier ?? '',
    },
    context: {
      purpose: session.purpose,
      task: session.task,
      personId: session.personId,
      agentIds: o.agentIds,
      depth: session.delegationIds.length,
      trust: o.trust,
      environment: environments[agent.environment] ?? 'unknown',
      datatypes: action.datatypes ?? [],
      ...(amount && { amount: amount.value, currency: amount.currency }),
      at: o.at,
    },
    attributes: action.attributes,
  };
}
