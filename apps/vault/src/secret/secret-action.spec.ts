import { describe, expect, it } from '@jest/globals';
import { actionFromMessage } from '@writ/authority';
import { readAction } from './secret-action.js';

describe('reading a secret', () => {
  it('is an action that names the secret and which version of it', () => {
    const secret = { secretId: 'sec_01K41M7JG0000000000000000A', displayName: 'erp-admin' };
    expect(actionFromMessage(readAction(secret, 3))).toEqual({
      type: 'vault_secret',
      name: 'read',
      location: 'vault',
      identifier: 'sec_01K41M7JG0000000000000000A',
      attributes: { secret_name: 'erp-admin', version: 3 },
    });
  });
});
