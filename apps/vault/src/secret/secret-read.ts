import type { SecretRead } from '@writ/contracts/writ/vault/v1/secret_facts.js';
import type { Decider } from '@writ/kernel';

/**
 * Readings are streams of their own, one per decision: a secret that is read a thousand times a minute must not have a
 * stream that is folded for each of them.
 */
export type SecretReadEvent = { type: 'SecretRead'; data: SecretRead };
export type SecretReadCommand = { type: 'ReadSecret' } & SecretRead;

export const secretReadDecider: Decider<number, SecretReadCommand, SecretReadEvent> = {
  initialState: () => 0,
  // A retry under the same decision lets the value out once more, so it is one more fact.
  decide: ({ secretId, version, sessionId, agentId, decisionId }) => [
    { type: 'SecretRead', data: { secretId, version, sessionId, agentId, decisionId } },
  ],
  evolve: (readings) => readings + 1,
};
