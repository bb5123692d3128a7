import { describe, expect, it } from '@jest/globals';
import { actChain, buildAct, claimsJson, parseClaims } from './token-claims.js';

const id = (kind: string, last: string) => `${kind}_01J00000000000000000000${last}`;
const [invoiceAgent, fxAgent] = [id('agt', '0A1'), id('agt', '0A2')] as const;
const issuer = 'https://broker.writ.example';
const payload = {
  iss: issuer,
  sub: id('psn', '0P1'),
  aud: ['writ'],
  client_id: fxAgent,
  iat: 1_790_000_000,
  exp: 1_790_000_300,
  jti: id('tok', '0T1'),
  sid: id('ses', '0S1'),
  mandate_id: id('mdt', '0M1'),
  delegation_ids: [id('dlg', '0D1')],
  cnf: { 'x5t#S256': 'A'.repeat(43) },
  act: {
    sub: fxAgent,
    iss: issuer,
    sub_profile: 'ai_agent',
    act: { sub: invoiceAgent, iss: issuer, sub_profile: 'ai_agent' },
  },
  authorization_details: [{ type: 'http_api', actions: ['GET'], locations: ['https://rates.example/*'] }],
};

describe('an access token', () => {
  it('reads back as it was written', () => {
    for (const claims of [payload, { ...payload, min_seq: 7 }, { ...payload, cnf: { jkt: '_'.repeat(43) } }])
      expect(JSON.parse(JSON.stringify(claimsJson(parseClaims(claims))))).toEqual(claims);
  });

  it('names the current actor outermost and the first agent innermost (RFC 8693 section 4.1)', () => {
    expect(buildAct(issuer, [invoiceAgent, fxAgent])).toEqual(payload.act);
    expect(actChain(parseClaims(payload))).toEqual([invoiceAgent, fxAgent]);
    expect(() => buildAct(issuer, [])).toThrow('at least one actor');
  });

  it('directly under a mandate names one actor', () => {
    const direct = { ...payload, delegation_ids: [], client_id: invoiceAgent, act: payload.act.act };
    expect(actChain(parseClaims(direct))).toEqual([invoiceAgent]);
  });

  it.each(Object.keys(payload))('needs its claim %s', (claim) =>
    expect(() => parseClaims({ ...payload, [claim]: undefined })).toThrow(
      expect.objectContaining({
        code: 'TOKEN_CLAIMS_INVALID',
        kind: 'unauthenticated',
        fields: expect.arrayContaining([expect.objectContaining({ field: claim })]),
      }),
    ),
  );

  it.each<[string, object, string]>([
    ['an unknown claim', { scope: 'admin' }, 'scope'],
    ['an agent as its subject', { sub: fxAgent }, 'sub'],
    ['a person as its actor', { act: { ...payload.act, sub: payload.sub } }, 'act.sub'],
    ['an actor that is not a client', { client_id: invoiceAgent }, 'client_id'],
    ['another kind of actor', { act: { ...payload.act, sub_profile: 'user' } }, 'act.sub_profile'],
    ['more actors than hops', { delegation_ids: [] }, 'act'],
    ['a life over five minutes', { exp: payload.iat + 301 }, 'exp'],
    ['a life of nothing', { exp: payload.iat }, 'exp'],
    ['a fraction of a second', { iat: payload.iat + 0.5 }, 'iat'],
    ['no binding', { cnf: {} }, 'cnf'],
    ['two bindings', { cnf: { ...payload.cnf, jkt: 'A'.repeat(43) } }, 'cnf'],
    ['a padded thumbprint', { cnf: { 'x5t#S256': `${'A'.repeat(43)}=` } }, 'cnf.x5t#S256'],
    ['a delegation twice', { delegation_ids: [id('dlg', '0D1'), id('dlg', '0D1')] }, 'delegation_ids[1]'],
    ['no authority', { authorization_details: [] }, 'authorization_details'],
    [
      'authority that is not understood',
      { authorization_details: [{ ...payload.authorization_details[0], only: 'x' }] },
      'authorization_details[0].only',
    ],
  ])('is refused with %s', (_, change, field) =>
    expect(() => parseClaims({ ...payload, ...change })).toThrow(
      expect.objectContaining({ fields: [expect.objectContaining({ field })] }),
    ),
  );

  it('is refused with actors nested deeper than any delegation goes', () => {
    const nine = Array.from({ length: 10 }, (_, index) => id('agt', `0A${index}`));
    expect(() => parseClaims({ ...payload, act: buildAct(issuer, nine) })).toThrow('nested deeper');
    let deep: object = payload.act;
    for (let level = 0; level < 5000; level += 1) deep = { ...payload.act, act: deep };
    expect(() => parseClaims({ ...payload, act: deep })).toThrow('nested deeper');
  });
});
