import { describe, expect, it } from '@jest/globals';
import type { Hop } from '@writ/authority';
import { EXAMINED_MAX, searched, thingsOf, verbsOf } from './search.js';

const hop = (...details: Hop['grant']['details']): Hop => ({
  kind: 'mandate',
  id: 'mdt',
  grantorId: 'psn',
  holderId: 'agt',
  revoked: false,
  grant: { purpose: 'p', details, limits: {}, expiresAt: new Date(0), maxDepth: 0 },
});

describe('what a search looks through', () => {
  const hops = [
    hop({ type: 'invoice', actions: ['write', 'read'], identifier: 'invoices/*' }),
    hop(
      { type: 'invoice', actions: ['read'], identifier: 'invoices/7', locations: ['pg://a', 'pg://b/*'] },
      { type: 'invoice', actions: ['read'], identifier: 'invoices/3' },
      { type: 'invoice', actions: ['write'], identifier: 'invoices/9' },
      { type: 'database', actions: ['query'] },
    ),
  ];

  it('is every verb of the type, once', () => expect(verbsOf(hops, 'invoice')).toEqual(['read', 'write']));

  it('is every thing that is named with the verb, and no pattern', () =>
    expect(thingsOf(hops, 'invoice', 'read')).toEqual([
      { id: 'invoices/3', location: undefined },
      { id: 'invoices/7', location: 'pg://a' },
    ]));

  it('is nothing for a type that no grant has', () => expect(verbsOf(hops, 'payment')).toEqual([]));
});

describe('a page', () => {
  const letters = [...'abcdef'];
  const vowels = (letter: string) => ('ae'.includes(letter) ? letter : undefined);
  const page = (size: number, after?: string) =>
    searched({ candidates: letters, key: (letter) => letter, after, size, examine: vowels });

  it('is full, or the last', () => {
    expect(page(1)).toEqual({ results: ['a'], last: 'a' });
    expect(page(1, 'a')).toEqual({ results: ['e'], last: 'e' });
    expect(page(1, 'e')).toEqual({ results: [], last: undefined });
    expect(page(5)).toEqual({ results: ['a', 'e'], last: undefined });
  });

  it('ends where enough was looked at, whether anything was found', () => {
    const candidates = Array.from({ length: EXAMINED_MAX + 1 }, (_, index) => String(index).padStart(4, '0'));
    const none = { candidates, key: (one: string) => one, size: 10, examine: () => undefined };
    expect(searched({ ...none, after: undefined })).toEqual({
      results: [],
      last: candidates[EXAMINED_MAX - 1],
    });
    expect(searched({ ...none, after: candidates[EXAMINED_MAX - 1] })).toEqual({
      results: [],
      last: undefined,
    });
  });
});
