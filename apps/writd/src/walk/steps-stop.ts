import { ApprovalState } from '@writ/contracts/writ/approval/v1/approval.js';
import { LockTargetKind } from '@writ/contracts/writ/session/v1/lock_facts.js';
import { isAllowed } from './agent-session.js';
import { plainAction } from './erp.js';
import { expectThat, type Stage } from './stage.js';
import { askForApproval } from './steps-payments.js';

/** SQLSTATE invalid_authorization_specification and invalid_password: the server does not let this login in. */
const NO_LOGIN = ['28000', '28P01'];

/** 7. A lock on the agent: next decision, sub-agent, credential, pending approval. */
export async function lock(stage: Stage): Promise<void> {
  const erp = stage.get('erp');
  const run = `${stage.session.sessionId}-late`;
  const { c } = await erp.invoicesFor(run);
  // A reading needs no money: what stops it can only be the lock.
  const rates = plainAction('rate', 'read', 'fx', 'rates/EURUSD');
  const before = await stage.session.decide(rates);
  expectThat('before the lock, reading rates is allowed', isAllowed(before), before);
  const pendingId = await pendingApproval(stage, c.id);

  const targetId = stage.get('invoiceAgent').id;
  const placed = await stage.timed(() =>
    stage.operator.clients.locks.placeLock({
      targetKind: LockTargetKind.LOCK_TARGET_KIND_AGENT,
      targetId,
      reason: 'the walk stops it',
      expireTime: undefined,
      requestId: '',
    }),
  );
  const { lock: lockMade, pointsConfirmed, pointsWatching } = placed.result;
  stage.say(
    `lock on invoice-agent durable and confirmed by ${pointsConfirmed} of ${pointsWatching} points in ${placed.ms.toFixed(1)} ms`,
    await stage.entryOf(lockMade?.lockId ?? '', 'writ.session.v1.LockPlaced'),
  );

  const own = await stage.timed(() => stage.session.decide(rates));
  expectThat('the next decision is denied', !isAllowed(own.result), own.result);
  stage.say(
    `its next decision: denied (${own.result.reasonCode}), answered in ${own.ms.toFixed(1)} ms`,
    await stage.entryOf(own.result.decisionId, 'writ.policy.v1.DecisionMade'),
  );
  const sub = await stage.timed(() => stage.fxSession.decide(rates));
  expectThat("the sub-agent's next decision is denied too", !isAllowed(sub.result), sub.result);
  stage.say(
    `its sub-agent's: denied (${sub.result.reasonCode}), answered in ${sub.ms.toFixed(1)} ms`,
    await stage.entryOf(sub.result.decisionId, 'writ.policy.v1.DecisionMade'),
  );

  const login = await stage.timed(() =>
    stage.until('end of the credential', () =>
      erp.as(stage.get('lease'), 'select 1').then(
        () => undefined,
        // Any other failure proves nothing about the login; it is asked again.
        (error: { code?: string }) => (NO_LOGIN.includes(error.code ?? '') ? error.code : undefined),
      ),
    ),
  );
  stage.say(
    `the credential cannot log in any more (${login.result}), ${login.ms.toFixed(1)} ms after asking first`,
    await stage.entryOf(stage.get('leaseId'), 'writ.vault.v1.LeaseRevoked'),
  );
  await withdrawn(stage, pendingId);
}

/** A payment that waits for people; limits count when it is allowed, not before. */
async function pendingApproval(stage: Stage, invoiceId: string): Promise<string> {
  const { approvalId } = await askForApproval(stage, { id: invoiceId, supplier: '', amount: 4_000 });
  stage.props.pendingApprovalId = approvalId;
  stage.say(
    `a payment is pending: ${approvalId}`,
    await stage.entryOf(approvalId, 'writ.approval.v1.ApprovalRequested'),
  );
  return approvalId;
}

async function withdrawn(stage: Stage, approvalId: string): Promise<void> {
  const { ms } = await stage.timed(() =>
    stage.until('withdrawal of the approval', async () => {
      const { state } = await stage.get('ben').clients.approvals.getApproval({ approvalId, decisionId: '' });
      return state === ApprovalState.APPROVAL_STATE_WITHDRAWN ? true : undefined;
    }),
  );
  stage.say(
    `the pending approval is withdrawn, ${ms.toFixed(1)} ms after asking first`,
    await stage.entryOf(approvalId, 'writ.approval.v1.ApprovalWithdrawn'),
  );
}
