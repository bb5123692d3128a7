import { setTimeout as sleep } from 'node:timers/promises';
import { actionFromMessage, actionJson } from '@writ/authority';
import {
  Approval,
  ApprovalServiceService,
  GetApprovalRequest,
} from '@writ/contracts/writ/approval/v1/approval.js';
import { Action } from '@writ/contracts/writ/type/v1/authority.js';
import { digestOfJson } from '@writ/kernel';
import { refusalOf, sha256 } from '@writ/service';
import { CompactSign } from 'jose';
import { stringify } from 'yaml';
import { CliFailure, usage } from './cli-failure.js';
import { type ExitCode, exitCodes } from './exit-codes.js';
import { isObject, type Json, type JsonObject, textAt } from './json.js';
import { unary } from './rpc.js';
import { visible } from './shape.js';
import { ask, type Work } from './work.js';

export const getApproval = unary(
  'approvals',
  ApprovalServiceService.getApproval,
  GetApprovalRequest,
  Approval,
);

const waitMsDefault = 10 * 60 * 1000;
const pollMs = 500;

/** What an approver is shown: everything that the signature stands for. */
const shown = [
  'action',
  'agentId',
  'personId',
  'purpose',
  'task',
  'decisionId',
  'actionDigest',
  'expireTime',
] as const;

/** Shows the exact action, asks, and signs the statement with the key of the profile. */
export async function vote(work: Work, approve: boolean): Promise<undefined> {
  const { suite, extras, request, io } = work;
  const { signingKey, keyId, name } = await suite.profile();
  if (signingKey === undefined)
    throw new CliFailure(exitCodes.forbidden, `profile \`${name}\` has no key to sign with`, {
      next: '--profile NAME',
    });
  const approvalId = textAt(request, 'approvalId');
  const found = await suite.call(getApproval, { approvalId });
  const statement = statementFor(found, approve);
  const verb = approve ? 'approve' : 'deny';
  if (extras.yes !== true) {
    io.err.write(exactly(found));
    const answer = await ask(work, `${verb} exactly this? [y/N]`, '--yes');
    if (!/^y(es)?$/i.test(answer)) throw usage('not confirmed; nothing was signed');
  }
  request.approve = approve;
  request.signature = await new CompactSign(new TextEncoder().encode(statement))
    .setProtectedHeader({ alg: 'ES256', kid: keyId })
    .sign(signingKey);
}

/**
 * The statement to sign, after a look that it speaks of what was shown.
 * @throws CliFailure 9 when it does not
 */
export function statementFor(approval: JsonObject, approve: boolean): string {
  const statement = textAt(approval, 'statement');
  const said = parsed(statement);
  const agrees =
    isObject(said) &&
    said.action_digest === digestOf(approval) &&
    said.approval_id === textAt(approval, 'approvalId') &&
    said.decision_id === textAt(approval, 'decisionId') &&
    said.agent_id === textAt(approval, 'agentId') &&
    said.session_id === textAt(approval, 'sessionId') &&
    said.action_digest === textAt(approval, 'actionDigest') &&
    said.vote === 'approve';
  if (!agrees)
    throw new CliFailure(
      exitCodes.integrity,
      'the statement to sign does not speak of the approval that was shown',
    );
  return approve ? statement : statement.replace('"vote":"approve"', '"vote":"deny"');
}

/** The digest of the very action that was shown; */
function digestOf(approval: JsonObject): string {
  const action = actionFromMessage(Action.fromJSON(approval.action));
  return digestOfJson({ action: actionJson(action), session_id: textAt(approval, 'sessionId') }, sha256);
}

/** Looks again until nobody is waited for any more. By a decision, the approval itself may still have to appear. */
export async function waitForPeople(work: Work): Promise<JsonObject> {
  const { io, settings, suite, request } = work;
  const endMs = io.clock.monotonicMs() + (settings.timeoutMs ?? waitMsDefault);
  let found: JsonObject | undefined;
  for (;;) {
    found = (await look(work)) ?? found;
    if (found !== undefined && found.state !== 'APPROVAL_STATE_PENDING') return found;
    const leftMs = endMs - io.clock.monotonicMs();
    if (leftMs <= 0) break;
    await sleep(Math.min(pollMs, leftMs));
  }
  // Never appeared: the last look tells why, as the service's own refusal.
  return found ?? suite.call(getApproval, request);
}

/** How a wait ends. */
export function approvalCode({ state }: JsonObject): ExitCode {
  switch (state) {
    case 'APPROVAL_STATE_GRANTED':
      return exitCodes.ok;
    case 'APPROVAL_STATE_PENDING':
      return exitCodes.approvalPending;
    case 'APPROVAL_STATE_USED':
      return exitCodes.conflict;
    default:
      return exitCodes.deny;
  }
}

async function look({ suite, request }: Work): Promise<JsonObject | undefined> {
  try {
    return await suite.call(getApproval, request, lookMs);
  } catch (error) {
    const isByDecision = textAt(request, 'decisionId') !== '';
    const { status } = refusalOf(error) ?? {};
    if (status === 'UNAVAILABLE' || status === 'DEADLINE_EXCEEDED') return undefined;
    if (isByDecision && status === 'NOT_FOUND') return undefined;
    throw error;
  }
}

const lookMs = 5_000;

function exactly(approval: JsonObject): string {
  const content = Object.fromEntries(
    shown.flatMap((field) => (field in approval ? [[field, approval[field]]] : [])),
  );
  return stringify(content).split('\n').map(visible).join('\n');
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    // What is no JSON speaks of nothing.
    return null;
  }
}
