import { createHmac, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApprovalState } from '@writ/contracts/writ/approval/v1/approval.js';
import { PersonKeyRetired, PersonLeft, Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { refusalOf } from '@writ/service';
import { codeOf, House, jws, type Person, toDeny, voteOf } from './house.js';

let house: House;
let ben: Person;
let eva: Person;

beforeAll(async () => {
  house = await House.build();
  ben = await house.person([Role.ROLE_APPROVER]);
  eva = await house.person([Role.ROLE_APPROVER]);
}, 60_000);

afterAll(async () => {
  await house?.stop();
});

const fieldsOf = (call: Promise<unknown>) =>
  call.then(
    () => [],
    (error: unknown) => refusalOf(error)?.fields.map(({ field }) => field) ?? [],
  );
const vote = (by: Person, request: Parameters<Person['approvals']['vote']>[0]) => by.approvals.vote(request);

describe('a request for approval', () => {
  it('is made from a decision that needs people, and shows the exact action', async () => {
    const decision = house.decision({ quorum: 2 });
    await house.decide(decision);
    const approval = await house.approvalOf(decision.decisionId);
    expect(approval).toMatchObject({
      state: ApprovalState.APPROVAL_STATE_PENDING,
      action: decision.action,
      actionDigest: decision.actionDigest,
      agentId: decision.agentId,
      policySetId: decision.policySetId,
      quorum: 2,
      votes: [],
    });
    expect(approval.expireTime).toEqual(new Date((decision.decideTime?.getTime() ?? 0) + 600_000));
    expect(JSON.parse(approval.statement)).toMatchObject({
      action_digest: decision.actionDigest,
      approval_id: approval.approvalId,
      policy_set_id: decision.policySetId,
      vote: 'approve',
    });
  });

  it('is the same one when the same action is asked for again', async () => {
    const first = await house.ask();
    const again = await house.ask({ sessionId: first.sessionId, actionDigest: first.actionDigest });
    expect(again.approvalId).toBe(first.approvalId);
    expect(await house.factsOf(first.approvalId)).toEqual(['ApprovalRequested']);
  });

  it('is another one for another action, and for another session', async () => {
    const first = await house.ask();
    const otherAction = await house.ask({ sessionId: first.sessionId });
    const otherSession = await house.ask({ actionDigest: first.actionDigest });
    const ids = [first, otherAction, otherSession].map(({ approvalId }) => approvalId);
    expect(new Set(ids).size).toBe(3);
  });

  it('is another one under other policies, for more people, and when its own time is over', async () => {
    const first = await house.ask();
    const { sessionId, actionDigest } = first;
    const same = { sessionId, actionDigest };
    const others = [
      await house.ask({ ...same, policySetId: 'pol_01K41M7JG000000000000000P2' }),
      await house.ask({ ...same, decideTime: first.expireTime }),
      await house.ask({ ...same, quorum: 2 }),
    ];
    const ids = [first, ...others].map(({ approvalId }) => approvalId);
    expect(new Set(ids).size).toBe(4);
    expect(others.map(({ policySetId, quorum }) => [policySetId, quorum])).toEqual([
      ['pol_01K41M7JG000000000000000P2', 1],
      [first.policySetId, 1],
      [first.policySetId, 2],
    ]);
  });

  it('is the same one when fewer people would do', async () => {
    const first = await house.ask({ quorum: 2 });
    const { sessionId, actionDigest } = first;
    expect((await house.ask({ sessionId, actionDigest })).approvalId).toBe(first.approvalId);
  });
});

describe('a vote', () => {
  it('that is signed over the statement grants the approval', async () => {
    const approval = await house.ask();
    const granted = await vote(ben, voteOf(approval, ben));
    expect(granted.state).toBe(ApprovalState.APPROVAL_STATE_GRANTED);
    expect(granted.votes).toMatchObject([{ personId: ben.id, approve: true }]);
    expect(granted.position?.source).toBe('approvals');
    expect(await house.factsOf(approval.approvalId)).toEqual([
      'ApprovalRequested',
      'ApprovalVoted',
      'ApprovalGranted',
    ]);
  });

  it('against it denies at once, whatever the quorum', async () => {
    const approval = await house.ask({ quorum: 2 });
    const denied = await vote(ben, voteOf(approval, ben, false));
    expect(denied.state).toBe(ApprovalState.APPROVAL_STATE_DENIED);
    expect(await codeOf(vote(eva, voteOf(approval, eva)))).toBe('APPROVAL_CLOSED');
  });

  it('needs as many people as the quorum says', async () => {
    const approval = await house.ask({ quorum: 2 });
    expect((await vote(ben, voteOf(approval, ben))).state).toBe(ApprovalState.APPROVAL_STATE_PENDING);
    expect((await vote(eva, voteOf(approval, eva))).state).toBe(ApprovalState.APPROVAL_STATE_GRANTED);
  });

  it('counts once for each person', async () => {
    const approval = await house.ask({ quorum: 2 });
    await vote(ben, voteOf(approval, ben));
    const again = await vote(ben, voteOf(approval, ben));
    expect(again.state).toBe(ApprovalState.APPROVAL_STATE_PENDING);
    expect(again.votes).toHaveLength(1);
    expect(await codeOf(vote(ben, voteOf(approval, ben, false)))).toBe('ALREADY_VOTED');
  });

  it('sent twice under one request id is one vote', async () => {
    const approval = await house.ask();
    const request = { ...voteOf(approval, ben), requestId: randomUUID() };
    const [first, second] = [await vote(ben, request), await vote(ben, request)];
    expect(second).toEqual(first);
    const other = { ...voteOf(approval, ben, false), requestId: request.requestId };
    expect(await codeOf(vote(ben, other))).toBe('REQUEST_ID_REUSED');
  });

  it('of the person who granted the mandate, or of the sponsor, is refused', async () => {
    const byRoot = await house.ask({ personId: ben.id });
    expect(await codeOf(vote(ben, voteOf(byRoot, ben)))).toBe('SELF_APPROVAL');
    const bySponsor = await house.ask({ sponsorId: ben.id });
    expect(await codeOf(vote(ben, voteOf(bySponsor, ben)))).toBe('SELF_APPROVAL');
    for (const { approvalId } of [byRoot, bySponsor])
      expect(await house.factsOf(approvalId)).toEqual(['ApprovalRequested']);
  });

  it('of ten people at once under a quorum of two grants once', async () => {
    const approvers = await Promise.all(Array.from({ length: 10 }, () => house.person([Role.ROLE_APPROVER])));
    const approval = await house.ask({ quorum: 2 });
    const codes = await Promise.all(approvers.map((one) => codeOf(vote(one, voteOf(approval, one)))));
    const facts = await house.factsOf(approval.approvalId);
    expect(facts.filter((type) => type === 'ApprovalGranted')).toHaveLength(1);
    expect(facts.filter((type) => type === 'ApprovalVoted')).toHaveLength(2);
    expect(codes.filter((code) => code === 'not refused')).toHaveLength(2);
    const refused = new Set(codes.filter((code) => code !== 'not refused'));
    expect([...refused].filter((code) => !['APPROVAL_CLOSED', 'STREAM_CONFLICT'].includes(code))).toEqual([]);
  });
});

describe('a signature', () => {
  const forgeries: readonly [
    title: string,
    code: string,
    forge: (statement: string, others: { statement: string }) => string,
  ][] = [
    ['with a key of somebody else', 'SIGNATURE_INVALID', (text) => jws(text, { ...eva, keyId: ben.keyId })],
    ["with another person's registered key", 'SIGNING_KEY_UNKNOWN', (text) => jws(text, eva)],
    ['with a key that nobody registered', 'SIGNING_KEY_UNKNOWN', (text) => jws(text, ben, { kid: 'none' })],
    ['over the other vote', 'SIGNATURE_INVALID', (text) => jws(toDeny(text), ben)],
    ['over another approval', 'SIGNATURE_INVALID', (_text, other) => jws(other.statement, ben)],
    [
      'over another digest',
      'SIGNATURE_INVALID',
      (text) => jws(text.replace(/"action_digest":"[^"]+"/, '"action_digest":"sha-256:x"'), ben),
    ],
    ['over another policy set', 'SIGNATURE_INVALID', (text) => jws(text.replace('0000P1"', '0000P2"'), ben)],
    ['over the statement with a space more', 'SIGNATURE_INVALID', (text) => jws(`${text} `, ben)],
    ['that names no key', 'SIGNATURE_INVALID', (text) => jws(text, ben, { kid: undefined })],
    ['of the algorithm `none`', 'SIGNATURE_INVALID', (text) => unsigned(text)],
    ['by HMAC with the public key as the secret', 'SIGNATURE_INVALID', (text) => byHmac(text)],
    [
      'with an extension it must not ignore',
      'SIGNATURE_INVALID',
      (text) => jws(text, ben, { crit: ['x'], x: 1 }),
    ],
    ['that is no JWS', 'SIGNATURE_INVALID', () => 'yes'],
    ['of three empty parts', 'SIGNATURE_INVALID', () => '..'],
  ];
  const header = (alg: string) => Buffer.from(JSON.stringify({ alg, kid: ben.keyId })).toString('base64url');
  const unsigned = (text: string) => `${header('none')}.${Buffer.from(text).toString('base64url')}.`;
  const byHmac = (text: string) => {
    const signed = `${header('HS256')}.${Buffer.from(text).toString('base64url')}`;
    return `${signed}.${createHmac('sha256', ben.keyId).update(signed).digest('base64url')}`;
  };

  it.each(forgeries)('%s is refused', async (_title, code, forge) => {
    const [approval, other] = [await house.ask(), await house.ask()];
    const signature = forge(approval.statement, other);
    expect(await codeOf(vote(ben, { ...voteOf(approval, ben), signature }))).toBe(code);
    expect(await house.factsOf(approval.approvalId)).toEqual(['ApprovalRequested']);
  });

  it('of more than 4096 characters, or none, is a bad field', async () => {
    const approval = await house.ask();
    for (const signature of ['x'.repeat(4_097), '']) {
      const call = vote(ben, { ...voteOf(approval, ben), signature });
      expect(await fieldsOf(call)).toEqual(['signature']);
    }
  });

  it('with a key that was retired counts no more', async () => {
    const gone = await house.person([Role.ROLE_APPROVER]);
    const approval = await house.ask();
    const retired = { personId: gone.id, keyId: gone.keyId };
    await house.publish(house.registry, 'PersonKeyRetired', PersonKeyRetired, retired, gone.id);
    await house.until('the key is gone', async () => {
      const known = 'select 1 from approvals_view.approver_key where person_id = $1';
      return (await house.sql(known, [gone.id])).length === 0;
    });
    expect(await codeOf(vote(gone, voteOf(approval, gone)))).toBe('SIGNING_KEY_UNKNOWN');
  });
});

describe('who may vote', () => {
  it.each(['ADMIN', 'OPERATOR', 'SPONSOR', 'AUDITOR', 'SECURITY'] as const)(
    'does not include somebody who is %s only',
    async (role) => {
      const person = await house.person([Role[`ROLE_${role}`]]);
      const approval = await house.ask();
      expect(await codeOf(vote(person, voteOf(approval, person)))).toBe('CALLER_NOT_ALLOWED');
    },
  );

  it('does not include an approver who has left', async () => {
    const gone = await house.person([Role.ROLE_APPROVER]);
    const approval = await house.ask();
    await house.publish(house.registry, 'PersonLeft', PersonLeft, { personId: gone.id }, gone.id);
    await house.until('they may not', async () => {
      const code = await codeOf(
        gone.approvals.getApproval({ approvalId: approval.approvalId, decisionId: '' }),
      );
      return code === 'CALLER_NOT_ALLOWED';
    });
    expect(await codeOf(vote(gone, voteOf(approval, gone)))).toBe('CALLER_NOT_ALLOWED');
  });

  it('does not include the agent, which sees its own approvals and no others', async () => {
    const agentId = house.newId('agt');
    const agent = house.client(await house.world.identity({ kind: 'agent', id: agentId }));
    const [own, others] = [await house.ask({ agentId }), await house.ask()];
    const seen = await agent.getApproval({ approvalId: own.approvalId, decisionId: '' });
    expect(seen.approvalId).toBe(own.approvalId);
    const hidden = agent.getApproval({ approvalId: others.approvalId, decisionId: '' });
    expect(await codeOf(hidden)).toBe('APPROVAL_UNKNOWN');
    expect(await codeOf(agent.vote(voteOf(own, ben)))).toBe('CALLER_NOT_ALLOWED');
  });
});

describe('a bad request', () => {
  it('to vote has every bad field named', async () => {
    const bad = { approvalId: house.newId('dec'), approve: false, reason: '', signature: '', requestId: '' };
    expect((await fieldsOf(vote(ben, bad))).sort()).toEqual(['approval_id', 'reason', 'signature']);
  });

  it('about an approval that nobody asked for is told so', async () => {
    const approval = await house.ask();
    const unknown = { ...voteOf(approval, ben), approvalId: house.newId('apr') };
    expect(await codeOf(vote(ben, unknown))).toBe('APPROVAL_UNKNOWN');
  });
});
