import { describe, expect, it } from '@jest/globals';
import { engineSpiffeId, readSpiffeId, serverMistake, urisOf } from './server-identity.js';

const ENGINE = 'spiffe://writ.local/service/policy-engine';

describe('the server', () => {
  it('is the engine of the trust domain', () => {
    expect(engineSpiffeId('writ.local')).toBe(ENGINE);
    expect(serverMistake(`URI:${ENGINE}`, ENGINE)).toBeUndefined();
    expect(serverMistake(`DNS:engine.example, URI:${ENGINE}`, ENGINE)).toBeUndefined();
  });

  it.each([
    ['another service', 'URI:spiffe://writ.local/service/registry'],
    ['the engine of another trust domain', 'URI:spiffe://writ.evil/service/policy-engine'],
    ['one with a longer name', `URI:${ENGINE}-2`],
    ['one with two names', `URI:${ENGINE}, URI:spiffe://writ.local/service/registry`],
    ['one whose host is called so', `DNS:${ENGINE}`],
    ['one that hides it in another name', `DNS:"a, URI:${ENGINE}"`],
    ['one that hides it beside a quoted name', `DNS:"a,b", URI:${ENGINE}`],
    ['one of no name', ''],
    ['one without alternative names', undefined],
  ])('is not %s', (_who, names) => expect(serverMistake(names, ENGINE)).toBeInstanceOf(Error));

  it.each(['', 'Writ.Local', 'writ.local/service', '-writ', 'a b'])('is in no trust domain `%s`', (domain) =>
    expect(() => engineSpiffeId(domain)).toThrow('is no trust domain'),
  );
});

describe('a SPIFFE ID', () => {
  it('has a trust domain and a path', () => {
    expect(readSpiffeId('spiffe://writ.local/agent/agt_1')).toEqual({
      trustDomain: 'writ.local',
      path: 'agent/agt_1',
    });
    for (const uri of ['spiffe://writ.local', 'spiffe://writ.local/', 'https://writ.local/a', 'spiffe:///a'])
      expect(readSpiffeId(uri)).toBeUndefined();
  });

  it('stands among the names of a certificate', () =>
    expect(urisOf('DNS:a, URI:spiffe://a/b, IP Address:::1')).toEqual(['spiffe://a/b']));
});
