import { describe, expect, it } from '@jest/globals';
import { actionFromMessage } from '@writ/authority';
import { leaseAction } from './lease-action.js';

const role = {
  databaseRoleId: 'dbr_01K41M7JG0000000000000000A',
  displayName: 'erp-reader',
  memberOf: ['rates_reader', 'invoice_reader'],
  ttlSecondsMax: 3_600,
};

describe('taking a lease', () => {
  it('is an action that names the role, what it may do and for how long', () => {
    expect(actionFromMessage(leaseAction(role, 600))).toEqual({
      type: 'database',
      name: 'lease',
      location: 'erp-reader',
      identifier: 'dbr_01K41M7JG0000000000000000A',
      attributes: { member_of: 'invoice_reader rates_reader', ttl_seconds: 600 },
    });
  });

  it('is for as long as the role allows when no time is named, or too much', () => {
    const longest = leaseAction(role, 3_600);
    expect(leaseAction(role, 0)).toEqual(longest);
    expect(leaseAction(role, 86_400)).toEqual(longest);
  });
});
