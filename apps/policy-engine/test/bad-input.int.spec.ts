import { generateKeyPairSync } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type DecideRequest, DecisionServiceService } from '@writ/contracts/writ/policy/v1/decision.js';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import type { Action } from '@writ/contracts/writ/type/v1/authority.js';
import { EventStore } from '@writ/event-store';
import { clientCredentials, serviceSpiffeId } from '@writ/service';
import { payment, question, refusedWith, type TokenWish, type Worker } from './asking.js';
import { House } from './house.js';

let house: House;
let worker: Worker;
let other: Worker;

beforeAll(async () => {
  house = await House.build();
  worker = await house.worker();
  other = await house.worker();
});
afterAll(async () => {
  await house?.stop();
});

const now = () => Math.floor(house.world.clock.now().getTime() / 1000);

/** The newest position, when denies that need not wait have been recorded. */
async function head(): Promise<number> {
  const store = house.engine.app.get(EventStore);
  for (let pos = await store.head(); ; ) {
    await delay(30);
    const next = await store.head();
    if (next === pos) return pos;
    pos = next;
  }
}

/** Runs a call and expects that nothing was recorded meanwhile. */
async function refused(call: () => Promise<unknown>) {
  const before = await head();
  const refusal = await refusedWith(call());
  expect(await head()).toBe(before);
  return refusal;
}

describe('a token', () => {
  const bad: readonly (readonly [string, () => TokenWish, string])[] = [
    [
      'that was forged',
      () => ({ key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }),
      'TOKEN_FORGED',
    ],
    ['of an unknown key', () => ({ header: { kid: 'key_01K41M7JG000000000000OTHER' } }), 'TOKEN_KEY_UNKNOWN'],
    ['that says it needs no signature', () => ({ header: { alg: 'none' } }), 'TOKEN_MALFORMED'],
    ['that has expired', () => ({ claims: { iat: now() - 400, exp: now() - 100 } }), 'TOKEN_EXPIRED'],
    ['that lives too long', () => ({ claims: { exp: now() + 3_600 } }), 'TOKEN_MALFORMED'],
    ['of another issuer', () => ({ claims: { iss: 'https://elsewhere.test' } }), 'TOKEN_WRONG_ISSUER'],
    ['for another audience', () => ({ claims: { aud: ['elsewhere'] } }), 'TOKEN_WRONG_AUDIENCE'],
    [
      'bound to another certificate',
      () => ({ claims: { cnf: { 'x5t#S256': other.identity.current().certificateSha256 } } }),
      'TOKEN_BINDING_MISMATCH',
    ],
    ['that names an id of another kind', () => ({ claims: { sid: worker.agentId } }), 'TOKEN_CLAIMS_INVALID'],
    ['with a claim that is not known', () => ({ claims: { admin: true } }), 'TOKEN_CLAIMS_INVALID'],
  ];
  it.each(bad)('%s is refused', async (_title, wish, reason) => {
    const token = house.token(worker, wish());
    expect(await refused(() => house.pay({ ...worker, token }, '1'))).toMatchObject({ reason });
  });
  it.each(['', 'a.b', 'not a token', `${'x'.repeat(20_000)}.y.z`])(
    'that is none is refused',
    async (token) => {
      const { reason } = await refused(() => house.pay({ ...worker, token }, '1'));
      expect(['INVALID_ARGUMENT', 'TOKEN_MALFORMED']).toContain(reason);
    },
  );
  it('that somebody else shows is refused', async () => {
    const stolen = () =>
      house
        .decisions(other.identity)
        .decide(question(worker, payment('1'), { presentedCertificateSha256: '' }));
    expect(await refused(stolen)).toMatchObject({ reason: 'TOKEN_BINDING_MISMATCH' });
  });
  it('that an enforcement point shows for a certificate it was not bound to is refused', async () => {
    const presentedCertificateSha256 = other.identity.current().certificateSha256;
    expect(await refused(() => house.pay(worker, '1', { presentedCertificateSha256 }))).toMatchObject({
      reason: 'TOKEN_BINDING_MISMATCH',
    });
  });
  it('of one session that speaks of the mandate of another is denied', async () => {
    const token = house.token(worker, { claims: { mandate_id: other.mandateId } });
    expect((await house.pay({ ...worker, token }, '1')).reasonCode).toBe('SESSION_MISMATCH');
  });
  it('of a session that nobody opened is denied', async () => {
    const token = house.token(worker, { claims: { sid: house.world.clock.newId('ses') } });
    expect((await house.pay({ ...worker, token }, '1')).reasonCode).toBe('SESSION_UNKNOWN');
  });
});

describe('a caller', () => {
  it.each(['decide', 'decideBatch'] as const)(
    'that is a person or another service may not call %s',
    async (name) => {
      const admin = house.admin;
      const audit = await house.world.identity({ kind: 'service', id: 'audit' });
      for (const identity of [admin, audit]) {
        const one = question(worker, payment('1'));
        const call = () =>
          name === 'decide'
            ? house.decisions(identity).decide(one)
            : house.decisions(identity).decideBatch({ requests: [one] });
        expect(await refused(call)).toMatchObject({ reason: 'CALLER_NOT_ALLOWED' });
      }
    },
  );
  it('with a role that does not oversee may not list decisions', async () => {
    const approver = await house.person([Role.ROLE_APPROVER]);
    const list = house
      .decisions(approver)
      .listDecisions({ sessionId: '', agentId: '', outcome: 0, pageSize: 0, pageToken: '' });
    expect(await refusedWith(list)).toMatchObject({ reason: 'CALLER_NOT_ALLOWED' });
  });
});

const attribute = (name: string, value: bigint): Action['attributes'][number] => ({
  name,
  value: { $case: 'intValue', value },
});

describe('an action', () => {
  const bad: readonly (readonly [string, Action, string])[] = [
    ['without a type', { ...payment('1'), type: '' }, 'action.type'],
    ['with a wildcard for a verb', { ...payment('1'), name: '*' }, 'action.name'],
    ['that climbs out of its place', { ...payment('1'), location: 'pg://erp/../crm' }, 'action.location'],
    [
      'with a place that hides a climb',
      { ...payment('1'), identifier: 'invoices/%2e%2e/keys' },
      'action.identifier',
    ],
    ['with a sign in its amount', payment('-1'), 'action.amount.value'],
    ['with an exponent in its amount', payment('1e3'), 'action.amount.value'],
    ['with an amount beyond all reckoning', payment('1'.repeat(40)), 'action.amount.value'],
    ['with a currency that is none', payment('1', 'euro'), 'action.amount.currency_code'],
    [
      'with an integer beyond 2^53',
      { ...payment('1'), attributes: [attribute('count', 2n ** 53n)] },
      'action.attributes[0]',
    ],
    [
      'with the largest integer there is',
      { ...payment('1'), attributes: [attribute('count', 2n ** 63n - 1n)] },
      'action.attributes[0]',
    ],
    [
      'with an attribute without a value',
      { ...payment('1'), attributes: [{ name: 'count', value: undefined }] },
      'action.attributes[0]',
    ],
    [
      'with an attribute named twice',
      { ...payment('1'), attributes: [attribute('a', 1n), attribute('a', 2n)] },
      'action.attributes',
    ],
    [
      'with too many attributes',
      { ...payment('1'), attributes: Array.from({ length: 65 }, (_, n) => attribute(`a${n}`, 1n)) },
      'action.attributes',
    ],
    ['with text that hides', { ...payment('1'), datatypes: ['in\u202evoice'] }, 'action.datatypes[0]'],
  ];
  it.each(bad)('%s is refused, and the field is named', async (_title, action, field) => {
    const { reason, fields } = await refused(() => house.decisions().decide(question(worker, action)));
    expect(reason).toBe('ACTION_INVALID');
    expect(fields).toContain(field);
  });
  it('with a number just within 2^53 is decided', async () => {
    const action = { ...payment('1'), attributes: [attribute('count', 2n ** 53n - 1n)] };
    expect((await house.decisions().decide(question(worker, action))).reasonCode).toBe('PERMITTED');
  });
});

describe('a question', () => {
  it('names every bad field at once', async () => {
    const wish: Partial<DecideRequest> = {
      token: '',
      presentedCertificateSha256: 'short',
      action: undefined,
      approvalId: worker.agentId,
      atLeast: [{ source: 'vault', pos: 1n }],
      requestId: 'again',
    };
    const { reason, fields } = await refused(() => house.pay(worker, '1', wish));
    expect(reason).toBe('INVALID_ARGUMENT');
    // The pipeline looks at request ids before any edge does.
    expect(fields).toEqual(['request_id']);
    const rest = await refused(() => house.pay(worker, '1', { ...wish, requestId: '' }));
    expect(rest.fields).toEqual([
      'token',
      'presented_certificate_sha256',
      'action',
      'approval_id',
      'at_least',
    ]);
  });
  it.each([0n, -1n, 2n ** 53n])('may not wait for position %s', async (pos) => {
    const { fields } = await refused(() =>
      house.pay(worker, '1', { atLeast: [{ source: 'registry', pos }] }),
    );
    expect(fields).toEqual(['at_least']);
  });
  it('in a batch is named by its place, and the good ones beside it are not decided', async () => {
    const requests = [
      question(worker, payment('1')),
      question(worker, payment('1'), { requestId: 'again', approvalId: 'x' }),
    ];
    const { reason, fields } = await refused(() => house.decisions().decideBatch({ requests }));
    expect({ reason, fields }).toEqual({
      reason: 'INVALID_ARGUMENT',
      fields: ['requests[1].approval_id', 'requests[1].request_id'],
    });
    const forged = [
      question(worker, payment('1')),
      question({ ...worker, token: `${worker.token}x` }, payment('1')),
    ];
    expect((await refused(() => house.decisions().decideBatch({ requests: forged }))).reason).toMatch(
      /^TOKEN_/,
    );
  });
  it.each([0, 101])('is not one of %s in a batch', async (length) => {
    const requests = Array.from({ length }, () => question(worker, payment('1')));
    expect(await refused(() => house.decisions().decideBatch({ requests }))).toEqual({
      reason: 'INVALID_ARGUMENT',
      fields: ['requests'],
    });
  });
  it('larger than 1 MiB is refused before it is read', async () => {
    const huge = { ...payment('1'), identifier: 'x'.repeat(1024 * 1024) };
    expect(await refused(() => house.decisions().decide(question(worker, huge)))).toMatchObject({
      reason: 'RESOURCE_EXHAUSTED',
    });
  });
});

describe('bytes that are no question', () => {
  /** Sends bytes as they are, past the generated client. */
  async function send(bytes: Buffer): Promise<number> {
    const spiffeId = serviceSpiffeId('writ.test', 'policy-engine');
    const client = new Client(house.engine.address, clientCredentials(house.gateway, spiffeId));
    const { path } = DecisionServiceService.decide;
    try {
      return await new Promise((resolve) => {
        client.makeUnaryRequest(
          path,
          (raw: Buffer) => raw,
          (raw: Buffer) => raw,
          bytes,
          (error) => resolve(error?.code ?? 0),
        );
      });
    } finally {
      client.close();
    }
  }
  /** `depth` messages inside each other, all in field 3. */
  function nested(depth: number): Buffer {
    let bytes = Buffer.alloc(0);
    for (let level = 0; level < depth; level += 1) {
      const length = [];
      for (let rest = bytes.length; ; rest >>>= 7) {
        length.push(rest > 127 ? (rest & 127) | 128 : rest);
        if (rest <= 127) break;
      }
      bytes = Buffer.concat([Buffer.from([0x1a, ...length]), bytes]);
    }
    return bytes;
  }
  it.each([
    ['random', Buffer.from('ffffffffff', 'hex')],
    ['cut off', Buffer.from('0a7f61', 'hex')],
    ['nested ten thousand deep', nested(10_000)],
    ['empty', Buffer.alloc(0)],
  ])('%s: refused, nothing recorded, and the engine goes on', async (_title, bytes) => {
    const before = await head();
    expect(await send(bytes)).not.toBe(0);
    expect(await head()).toBe(before);
    expect((await house.pay(worker, '1')).reasonCode).toBe('PERMITTED');
  });
});
