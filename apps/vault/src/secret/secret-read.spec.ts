import { describe, it } from '@jest/globals';
import { givenFor } from '@writ/testing/decider.js';
import { type SecretReadCommand, type SecretReadEvent, secretReadDecider } from './secret-read.js';

const given = givenFor(secretReadDecider);
const reading = {
  secretId: 'sec_01K41M7JG0000000000000000A',
  version: 2,
  sessionId: 'ses_01K41M7JG0000000000000000A',
  agentId: 'agt_01K41M7JG0000000000000000A',
  decisionId: 'dec_01K41M7JG0000000000000000A',
};
const read: SecretReadCommand = { type: 'ReadSecret', ...reading };
const wasRead: SecretReadEvent = { type: 'SecretRead', data: reading };

describe('reading a secret', () => {
  it('is recorded with who read it and under which decision', () => given().when(read).then(wasRead));
  it('is recorded each time the value leaves the vault', () => given(wasRead).when(read).then(wasRead));
});
