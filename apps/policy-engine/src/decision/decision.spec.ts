import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { actionJson, type LockEntry, LockTable, parseAction } from '@writ/authority';
import { parse } from 'yaml';
import { comparedCedar } from '../../test/cedar.js';
import { decide, type Question } from './decision.js';
import { approvalFacts, knownEventOf, registryFacts, sessionFacts } from './knowledge.facts.js';
import { Knowledge } from './knowledge.js';
import type { Verdict } from './verdict.js';

interface FactRow {
  source: string;
  type: string;
  data: Record<string, unknown>;
}

interface LockRow {
  kind: LockEntry['kind'];
  target: string;
  lockId?: string;
  notBefore?: string;
  expires?: string;
}

interface Ask extends Partial<Pick<Question, 'sessionId' | 'mandateId' | 'delegationIds' | 'approvalId'>> {
  pay?: string;
  currency?: string;
  location?: string;
  identifier?: string;
  datatypes?: string[];
  attributes?: Record<string, unknown>;
  action?: object;
  as?: 'fx';
  at?: string;
}

interface Case {
  title: string;
  given?: FactRow[];
  approval?: Record<string, unknown> & { pay?: string };
  unreadable?: string[];
  factsStale?: string;
  locks?: 'stale' | LockRow[];
  policies?: string;
  schema?: string;
  ask: Ask;
  expect: {
    outcome: Verdict['outcome'];
    reason: string;
    says?: string | string[];
    by?: string[];
    demands?: string[];
    uses?: string;
    trust?: number;
    approvers?: number;
    ttlSeconds?: number;
  };
}

const here = import.meta.dirname;
const read = (...path: string[]) => readFileSync(join(here, ...path), 'utf8');
const world: FactRow[] = parse(read('decision.cases', 'world.yaml'));
const openedAt = new Date('2026-09-01T08:30:00Z');
const asked = new Date('2026-09-01T09:00:00Z');

const starter = join('..', '..', 'policies', 'starter');
const starterSchema = read(starter, 'schema.cedarschema');
const starterPolicies = ['access.cedar', 'finance.cedar'].map((file) => read(starter, file)).join('\n');
const codecs = { ...registryFacts, ...sessionFacts, ...approvalFacts };

function policiesOf({ policies, schema }: Case) {
  if (policies === 'none') return undefined;
  const text = schema === undefined ? starterSchema : starterSchema.replace('"payment:read", ', '');
  return comparedCedar().compile({
    policySetId: 'pol_now',
    version: 1,
    policies: policies ?? starterPolicies,
    schema: text,
  });
}

function knowledgeOf(facts: readonly FactRow[], unreadable: readonly string[] = []): Knowledge {
  const knowledge = new Knowledge();
  for (const { source, type, data } of facts) {
    const codec = codecs[type as keyof typeof codecs];
    const bytes = codec.encode(codec.fromJSON(data) as never).finish();
    const event = knownEventOf({ source, type, data: bytes });
    if (event !== undefined) knowledge.apply(event, openedAt);
  }
  knowledge.setUnreadable(unreadable);
  return knowledge;
}

function actionOf(ask: Ask) {
  const { action, pay, currency = 'EUR', location = 'pg://erp', identifier, datatypes, attributes, as } = ask;
  if (action !== undefined) return parseAction(action);
  if (as === 'fx')
    return parseAction({ type: 'http_api', name: 'get', location: 'https://rates.example/eur' });
  const amount = { currency, value: pay };
  return parseAction({ type: 'payment', name: 'pay', location, identifier, amount, datatypes, attributes });
}

function questionOf(ask: Ask): Question {
  const action = actionOf(ask);
  const chain =
    ask.as === 'fx'
      ? { sessionId: 'ses_fx', agentId: 'agt_fx', delegationIds: ['dlg_rates'] }
      : { sessionId: 'ses_invoice', agentId: 'agt_invoice', delegationIds: [] };
  const { sessionId, mandateId, delegationIds, approvalId } = ask;
  return {
    at: ask.at === undefined ? asked : new Date(ask.at),
    personId: 'psn_ana',
    agentId: chain.agentId,
    sessionId: sessionId ?? chain.sessionId,
    mandateId: mandateId ?? 'mdt_september',
    delegationIds: delegationIds ?? chain.delegationIds,
    approvalId: approvalId ?? '',
    action,
    actionDigest: JSON.stringify(actionJson(action)),
  };
}

function approvalFact({ approval, ask }: Case): FactRow[] {
  if (approval === undefined) return [];
  const { pay, ...changes } = approval;
  const { actionDigest } = questionOf({ ...ask, pay: pay ?? ask.pay });
  const data = {
    approvalId: 'apr_1',
    sessionId: 'ses_invoice',
    actionDigest,
    policySetId: 'pol_now',
    expireTime: '2026-09-01T10:00:00Z',
    approverIds: ['psn_ben'],
    ...changes,
  };
  return [{ source: 'approvals', type: 'ApprovalGranted', data }];
}

function locksOf({ locks = [] }: Case): LockTable | undefined {
  if (locks === 'stale') return undefined;
  const table = new LockTable();
  const entries = locks.map(({ kind, target, lockId = 'lck_1', notBefore, expires }, index): LockEntry => {
    const notBeforeMs = new Date(notBefore ?? '2026-09-01T08:59:00Z').getTime();
    const expiresMs = expires === undefined ? undefined : new Date(expires).getTime();
    return { seq: index + 1, kind, target, notBeforeMs, expiresMs, reason: 'an alarm', lockId };
  });
  table.applyFull({ seq: entries.length, entries });
  return table;
}

function verdictOf(one: Case): Verdict {
  const known = knowledgeOf([...world, ...approvalFact(one), ...(one.given ?? [])], one.unreadable);
  const holdings = {
    known,
    factsStaleBecause: one.factsStale,
    locks: locksOf(one),
    policies: policiesOf(one),
  };
  return decide(questionOf(one.ask), holdings);
}

const files = readdirSync(join(here, 'decision.cases')).filter((file) => file !== 'world.yaml');

describe.each(files)('decisions: %s', (file) => {
  const cases: Case[] = parse(read('decision.cases', file));
  it.each(cases.map((one) => [one.title, one] as const))('%s', (_title, one) => {
    const verdict = verdictOf(one);
    const { outcome, reason, says = [], by, demands, uses, trust, approvers, ttlSeconds } = one.expect;
    expect({ outcome: verdict.outcome, reason: verdict.reasonCode }).toEqual({ outcome, reason });
    for (const words of [says].flat()) expect(verdict.reason).toContain(words);
    if (by !== undefined) expect(verdict.policyIds).toEqual(by);
    if (demands !== undefined) expect(verdict.limitDemands.map(({ key }) => key)).toEqual(demands);
    if (uses !== undefined) expect(verdict.approvalUsed).toBe(uses);
    if (trust !== undefined) expect(verdict.trustScore).toBe(trust);
    if (approvers !== undefined) expect(verdict.approvalDemand).toEqual({ quorum: approvers, ttlSeconds });
  });
});

describe('a deny', () => {
  it('demands nothing of any limit and uses no approval', () => {
    const verdict = verdictOf({
      title: '',
      ask: { pay: '9000' },
      expect: { outcome: 'deny', reason: 'MANDATE_AMOUNT' },
    });
    expect({ demands: verdict.limitDemands, used: verdict.approvalUsed }).toEqual({ demands: [], used: '' });
  });
});
