import { describe, expect, it } from '@jest/globals';
import { type ClientOptions, openClient } from './client.js';

const good: ClientOptions = {
  address: '127.0.0.1:7403',
  trustDomain: 'writ.local',
  identity: async () => {
    throw new Error('was asked for its identity');
  },
};

describe('a client', () => {
  it('whose options are good asks for its identity', () =>
    expect(openClient(good)).rejects.toThrow('was asked for its identity'));

  it.each<[string, object]>([
    ['no time to answer', { deadlineMs: 0 }],
    ['a deadline that the engine would cut', { deadlineMs: 30_001 }],
    ['no question in a batch', { maxBatch: 0 }],
    ['more in a batch than the engine takes', { maxBatch: 101 }],
    ['half a question', { inFlightMax: 1.5 }],
    ['no bound', { inFlightMax: Number.POSITIVE_INFINITY }],
    ['the address of a web page', { address: 'http://engine' }],
    ['an address without a port', { address: 'engine' }],
    ['a trust domain that is none', { trustDomain: 'https://writ' }],
    ['a server of no SPIFFE ID', { trustDomain: undefined, serverSpiffeId: 'policy-engine' }],
  ])('is not opened with %s', async (_what, wish) => {
    await expect(openClient({ ...good, ...wish } as ClientOptions)).rejects.toBeInstanceOf(RangeError);
  });

  it('is not opened without a server that it must meet', async () => {
    const { trustDomain: _, ...anybody } = good;
    await expect(openClient(anybody as ClientOptions)).rejects.toBeInstanceOf(RangeError);
  });
});
