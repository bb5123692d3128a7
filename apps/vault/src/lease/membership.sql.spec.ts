import { describe, expect, it } from '@jest/globals';
import { membershipSql } from './membership.sql.js';

describe('taking the rights of a login', () => {
  it('names no option on servers that do not know it yet', () => {
    for (const version of [140_000, 150_013])
      expect(membershipSql('"writ_lse_1"', version)).toBe('grant "writ_lse_1" to current_user');
  });

  it('asks for the rights themselves since PostgreSQL 16', () => {
    for (const version of [160_000, 180_001])
      expect(membershipSql('"writ_lse_1"', version)).toBe(
        'grant "writ_lse_1" to current_user with inherit true',
      );
  });
});
