import type {
  SigningKeyAdded,
  SigningKeyRetired,
} from '@writ/contracts/writ/session/v1/signing_key_facts.js';
import { type Decider, refusals, unreachable } from '@writ/kernel';

export type SigningKeyEvent =
  | { type: 'SigningKeyAdded'; data: SigningKeyAdded }
  | { type: 'SigningKeyRetired'; data: SigningKeyRetired };

export type SigningKeyCommand =
  | { type: 'AddSigningKey'; key: SigningKeyAdded }
  | { type: 'RetireSigningKey'; keyId: string };

export interface SigningKey {
  readonly status: 'unknown' | 'in-use' | 'retired';
}

export const refuse = refusals({ SIGNING_KEY_RETIRED: 'precondition', SIGNING_KEY_UNKNOWN: 'not-found' });

function decide(command: SigningKeyCommand, { status }: SigningKey): readonly SigningKeyEvent[] {
  switch (command.type) {
    case 'AddSigningKey': {
      const { keyId } = command.key;
      if (status === 'retired')
        throw refuse('SIGNING_KEY_RETIRED', `key \`${keyId}\` is retired; put another in the file`);
      return status === 'in-use' ? [] : [{ type: 'SigningKeyAdded', data: command.key }];
    }
    case 'RetireSigningKey':
      if (status === 'unknown') throw refuse('SIGNING_KEY_UNKNOWN', `no key \`${command.keyId}\``);
      return status === 'retired' ? [] : [{ type: 'SigningKeyRetired', data: { keyId: command.keyId } }];
    default:
      return unreachable(command);
  }
}

function evolve(_: SigningKey, event: SigningKeyEvent): SigningKey {
  switch (event.type) {
    case 'SigningKeyAdded':
      return { status: 'in-use' };
    case 'SigningKeyRetired':
      return { status: 'retired' };
    default:
      return unreachable(event);
  }
}

export const signingKeyDecider: Decider<SigningKey, SigningKeyCommand, SigningKeyEvent> = {
  initialState: () => ({ status: 'unknown' }),
  decide,
  evolve,
};
