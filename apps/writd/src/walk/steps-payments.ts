import { sign } from 'node:crypto';
import { ApprovalState } from '@writ/contracts/writ/approval/v1/approval.js';
import { Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { isAllowed } from './agent-session.js';
import type { Member } from './cast.js';
import { type Invoice, paymentOf } from './erp.js';
import { expectThat, type Stage } from './stage.js';

const PAYMENTS_AT_ONCE = 50;
/** Under the 2 000 from which people must agree, and a divisor of nothing: the last euros stay unused. */
const EUROS_EACH = 1_000;
const EUROS_TOTAL = 20_000;

/** 4. Allowed, outside the mandate, and allowed once with Ben's approval. */
export async function pay(stage: Stage): Promise<void> {
  const erp = stage.get('erp');
  const { a, b, c } = await erp.invoicesFor(stage.session.sessionId);
  const decided = await stage.session.decide(paymentOf(a.id, a.amount));
  expectThat('paying A (1 200) is allowed', isAllowed(decided), decided);
  await erp.book(a.id, a.amount, decided.decisionId);
  stage.props.paymentDecisionId = decided.decisionId;
  stage.say(`A: 1 200 EUR allowed, ${decided.decisionId}`, await stage.entryAt(decided.position));

  const tooMuch = await stage.session.decide(paymentOf(b.id, b.amount));
  expectThat(
    'paying B (9 000) is outside the mandate',
    tooMuch.outcome === Outcome.OUTCOME_DENY && tooMuch.reasonCode.startsWith('MANDATE_'),
    tooMuch,
  );
  stage.say(
    `B: 9 000 EUR denied, ${tooMuch.reasonCode}: ${tooMuch.reason}`,
    await stage.entryOf(tooMuch.decisionId, 'writ.policy.v1.DecisionMade'),
  );
  await payWithApproval(stage, c);
}

async function payWithApproval(stage: Stage, c: Invoice): Promise<void> {
  const erp = stage.get('erp');
  const { approvalId, decisionId } = await askForApproval(stage, c);
  stage.say(
    `C: 4 000 EUR needs approval, ${approvalId}`,
    await stage.entryOf(approvalId, 'writ.approval.v1.ApprovalRequested'),
  );
  const approved = await approve(stage.get('ben'), approvalId);
  expectThat('Ben has approved', approved.state === ApprovalState.APPROVAL_STATE_GRANTED, approved.state);
  expectThat(
    'what Ben approved is what was decided',
    approved.decisionId === decisionId,
    approved.decisionId,
  );
  stage.session.knows(approved.position);
  stage.say('ben approves exactly that', await stage.entryAt(approved.position));

  const changed = await stage.session.decide(paymentOf(c.id, c.amount + 100), { approvalId });
  expectThat('another amount under the same approval is refused', !isAllowed(changed), changed);
  stage.say(
    `C with 4 100 EUR refused: ${changed.reasonCode}`,
    await stage.entryOf(changed.decisionId, 'writ.policy.v1.DecisionMade'),
  );
  const allowed = await stage.session.decide(paymentOf(c.id, c.amount), { approvalId });
  expectThat('C is allowed with the approval', isAllowed(allowed), allowed);
  await erp.book(c.id, c.amount, allowed.decisionId);
  stage.say('C: 4 000 EUR allowed', await stage.entryAt(allowed.position));
  const replayed = await stage.session.decide(paymentOf(c.id, c.amount), { approvalId });
  expectThat('the approval works once', !isAllowed(replayed), replayed);
  const payments = await erp.payments(c.id);
  expectThat('C was paid once', payments === 1, payments);
  stage.say(
    `C again refused: ${replayed.reasonCode}; C was paid once`,
    await stage.entryOf(replayed.decisionId, 'writ.policy.v1.DecisionMade'),
  );
}

/** Decides a payment that people must agree to first, and finds what they are asked. */
export async function askForApproval(
  stage: Stage,
  invoice: Invoice,
): Promise<{ approvalId: string; decisionId: string }> {
  const pending = await stage.session.decide(paymentOf(invoice.id, invoice.amount));
  expectThat(
    `paying ${invoice.amount} needs approval`,
    pending.outcome === Outcome.OUTCOME_APPROVAL_NEEDED,
    pending,
  );
  const { decisionId } = pending;
  const approval = await stage.until(`approval of ${decisionId}`, async () => {
    const found = await stage
      .get('ben')
      .clients.approvals.getApproval({ approvalId: '', decisionId })
      .catch(() => undefined);
    return found;
  });
  expectThat(
    'the approval shows the digest of the exact action',
    approval.actionDigest === pending.actionDigest,
    approval.actionDigest,
  );
  return { approvalId: approval.approvalId, decisionId };
}

/** Signs the statement of an approval and casts the vote. */
async function approve(person: Member, approvalId: string) {
  const { statement } = await person.clients.approvals.getApproval({ approvalId, decisionId: '' });
  const header = Buffer.from(JSON.stringify({ alg: 'ES256', kid: person.keyId })).toString('base64url');
  const signed = `${header}.${Buffer.from(statement).toString('base64url')}`;
  const signature = sign('sha256', Buffer.from(signed), {
    key: person.signingKey,
    dsaEncoding: 'ieee-p1363',
  });
  return person.clients.approvals.vote({
    approvalId,
    approve: true,
    reason: '',
    signature: `${signed}.${signature.toString('base64url')}`,
    requestId: '',
  });
}

/** 6. Twenty thousand in total, under fifty payments at once. */
export async function exhaust(stage: Stage): Promise<void> {
  const spent = 1_200 + 4_000;
  const run = `${stage.session.sessionId}-many`;
  const decisions = await Promise.all(
    Array.from({ length: PAYMENTS_AT_ONCE }, (_, n) =>
      stage.session.decide(paymentOf(`${run}-${n}`, EUROS_EACH)),
    ),
  );
  const allowed = decisions.filter(isAllowed);
  const refused = decisions.filter((decision) => !isAllowed(decision));
  const expected = Math.floor((EUROS_TOTAL - spent) / EUROS_EACH);
  expectThat(
    `exactly ${expected} of ${PAYMENTS_AT_ONCE} fit below 20 000`,
    allowed.length === expected,
    allowed.length,
  );
  expectThat(
    'all others say why',
    refused.every(({ reasonCode }) => reasonCode === 'LIMIT_AMOUNT_TOTAL'),
    refused[0],
  );
  const [last] = allowed.slice(-1);
  stage.say(
    `${PAYMENTS_AT_ONCE} payments of 1 000 EUR at once: ${allowed.length} allowed, ${refused.length} denied (LIMIT_AMOUNT_TOTAL); ${spent + allowed.length * EUROS_EACH} of 20 000 used`,
    await stage.entryAt(last?.position),
  );
}
