import { describe, expect, it } from '@jest/globals';
import type { Hop } from '@writ/authority';
import {
  behindAgent,
  EXAMINED_MAX,
  searched,
  sessionKey,
  sessionsInOrder,
  thingsOf,
  verbsOf,
} from './search.js';

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

describe('sessions of agents', () => {
  const sessions = ['b2', 'a3', 'a1', 'c1', 'b1', 'a2'].map((id) => ({ id, agentId: id.charAt(0) }));
  const found = (after: string | undefined, allowed: readonly string[], size = 10) =>
    searched({
      candidates: sessionsInOrder(sessions, after),
      key: sessionKey,
      behind: behindAgent,
      after,
      size,
      examine: ({ id, agentId }) => (allowed.includes(id) ? agentId : undefined),
    });

  it('come agent by agent, from where a page ended', () => {
    const ids = (after?: string) => [...sessionsInOrder(sessions, after)].map(({ id }) => id);
    expect(ids()).toEqual(['a1', 'a2', 'a3', 'b1', 'b2', 'c1']);
    expect(ids('b\n~')).toEqual(['b1', 'b2', 'c1']);
  });

  it('are one result for each agent, on whatever page', () => {
    expect(found(undefined, ['a2', 'a3', 'c1']).results).toEqual(['a', 'c']);
    const first = found(undefined, ['a1', 'a3', 'b2'], 1);
    expect(first.results).toEqual(['a']);
    const second = found(first.last, ['a1', 'a3', 'b2'], 1);
    expect(second.results).toEqual(['b']);
    expect(found(second.last, ['a1', 'a3', 'b2'], 1)).toEqual({ results: [], last: undefined });
  });
});
