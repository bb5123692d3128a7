import { Injectable } from '@nestjs/common';
import type { ActionMessage } from '@writ/authority';
import { type DecideResponse, DecisionServiceService } from '@writ/contracts/writ/policy/v1/decision.js';
import { Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import type { Position } from '@writ/contracts/writ/type/v1/authority.js';
import { type Call, refusals } from '@writ/kernel';
import { type ClientOf, Clock, connect, Identity, refusalOf, serviceSpiffeId, sha256 } from '@writ/service';
import { VaultSettings } from '../vault.settings.js';

export const refuseAction = refusals({
  ACTION_DENIED: 'forbidden',
  APPROVAL_NEEDED: 'precondition',
  POLICY_ENGINE_UNAVAILABLE: 'unavailable',
  REQUEST_ID_REUSED: 'conflict',
});

/** What the vault asks the policy-engine on behalf of an agent. */
export interface Question {
  readonly token: string;
  /** Of the agent, as it was presented to the vault or to the enforcement point that asks the vault. */
  readonly certificateSha256: string;
  readonly sessionId: string;
  readonly action: ActionMessage;
  readonly approvalId: string;
  readonly atLeast: readonly Position[];
}

/** Answers of a policy-engine that is overloaded, restarting or gone. Anything else it says is an answer. */
const silent = new Set(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELLED', 'RESOURCE_EXHAUSTED', 'ABORTED']);
/** Part of the caller's time that is kept for what follows the decision. */
const SHARE_OF_DEADLINE = 0.6;

/**
 * The vault as an enforcement point: it decides nothing about agents itself. Never called inside a database transaction.
 */
@Injectable()
export class Decisions {
  readonly #client: ClientOf<typeof DecisionServiceService>;

  constructor(settings: VaultSettings, identity: Identity, clock: Clock) {
    this.#client = connect({
      identity,
      address: settings.policyEngineAddress,
      serverSpiffeId: serviceSpiffeId(identity.trustDomain, 'policy-engine'),
      definition: DecisionServiceService,
      clock,
    });
  }

  onModuleDestroy(): void {
    this.#client.close();
  }

  /**
   * The durable allow for exactly this action.
   * @returns its `dec_…`
   * @throws Refusal ACTION_DENIED, APPROVAL_NEEDED, POLICY_ENGINE_UNAVAILABLE, or what the policy-engine refused
   */
  async allow(question: Question, call: Call): Promise<string> {
    const answer = await this.#ask(question, call);
    const { decisionId, outcome, reasonCode, reason, approvalDemand } = answer;
    if (outcome === Outcome.OUTCOME_ALLOW && decisionId !== '') return decisionId;
    if (outcome === Outcome.OUTCOME_APPROVAL_NEEDED)
      throw refuseAction(
        'APPROVAL_NEEDED',
        `decision \`${decisionId}\` needs ${approvalDemand?.quorum ?? 1} approval(s); ask again with the approval`,
      );
    throw refuseAction('ACTION_DENIED', `decision \`${decisionId}\` is no: \`${reasonCode}\`, ${reason}`);
  }

  async #ask(question: Question, call: Call): Promise<DecideResponse> {
    const { token, certificateSha256, action, approvalId, atLeast, sessionId } = question;
    try {
      return await this.#client.decide(
        {
          token,
          presentedCertificateSha256: certificateSha256,
          action,
          approvalId,
          atLeast: [...atLeast],
          requestId: requestIdFor(call.requestId, [sessionId, action.type, approvalId]),
        },
        { call, deadlineMs: Math.ceil(call.deadlineMs * SHARE_OF_DEADLINE) },
      );
    } catch (cause) {
      const remote = refusalOf(cause);
      if (remote === undefined || silent.has(remote.status))
        throw refuseAction(
          'POLICY_ENGINE_UNAVAILABLE',
          'the policy-engine does not answer; nothing is allowed',
        );
      if (remote.status === 'UNAUTHENTICATED' || remote.status === 'PERMISSION_DENIED')
        throw refuseAction('ACTION_DENIED', `the policy-engine refused the question: \`${remote.reason}\``);
      if (remote.reason === 'REQUEST_ID_REUSED')
        throw refuseAction(
          'REQUEST_ID_REUSED',
          'the request id came before with another request; use a new one',
        );
      throw new Error(`the policy-engine answered \`${remote.reason}\` (call ${remote.callId})`, { cause });
    }
  }
}

/**
 * Request ids are the vault's own towards the policy-engine, so two agents that happen on one id, or one that guesses
 * another's, must not meet: a UUID of version 8 (RFC 9562 section 5.8) from the id and what it is for.
 */
function requestIdFor(requestId: string, scope: readonly string[]): string {
  if (requestId === '') return '';
  const bytes = Buffer.from(sha256(['writ decision request 1', requestId, ...scope].join('\n'))).subarray(
    0,
    16,
  );
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
