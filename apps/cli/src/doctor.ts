import { refusalOf } from '@writ/service';
import { CliFailure } from './cli-failure.js';
import { type ExitCode, exitCodes } from './exit-codes.js';
import { gapsIn, type Health, healthOf, isServing } from './health.js';
import { listAt, textAt } from './json.js';
import { ledgerSources } from './ledger-rpc.js';
import { listLocks } from './lock-rpc.js';
import { printAnswer } from './print-answer.js';
import { cellText, column, listOf, shape } from './shape.js';
import type { LocalVerb } from './verb.js';
import { hint, type Work } from './work.js';

interface Result {
  readonly result: 'ok' | 'failed' | 'skipped';
  readonly detail: string;
}

interface Finding extends Result {
  readonly check: string;
}

const skewMsMax = 5_000;
/** Certificates live a day; the last two hours are the time to renew. */
const certificateLeftMsMin = 2 * 60 * 60 * 1000;

const line = shape(
  [column('check', 'check'), column('result', 'result'), column('detail', 'detail')],
  (row) => textAt(row, 'check'),
);

export const doctorVerb: LocalVerb = {
  name: 'doctor',
  doc: 'clock, certificate, services, ledger and locks, one line each; exit code 8 when one of them failed',
  run: doctor,
};

async function doctor(work: Work): Promise<ExitCode> {
  const health = await healthOf(work.suite);
  const findings = [
    await certificate(work),
    clockSkew(work, health),
    ...health.map(service),
    await asked('ledger', () => ledger(work)),
    await asked('locks', () => locks(work)),
  ];
  printAnswer(work.io, work.settings, listOf('checks', line), {
    checks: findings.map((finding) => ({ ...finding })),
  });
  const failed = findings.filter(({ result }) => result === 'failed');
  if (failed.length === 0) return exitCodes.ok;
  hint(work, `${failed.length} failed: ${failed.map(({ check }) => check).join(', ')}`);
  return exitCodes.unavailable;
}

async function certificate({ suite, io }: Work): Promise<Finding> {
  const { identity, name, principalId } = await suite.profile();
  const { notAfter } = identity.current();
  const leftMs = notAfter.getTime() - io.clock.now().getTime();
  return {
    check: 'certificate',
    result: leftMs > certificateLeftMsMin ? 'ok' : 'failed',
    detail: `profile \`${name}\` (${principalId}) until ${cellText(notAfter.toISOString())}`,
  };
}

/** Against the slowest and fastest service; their clocks are told to the second. */
function clockSkew({ io }: Work, health: readonly Health[]): Finding {
  const now = io.clock.now().getTime();
  const skews = health.flatMap(({ serverTime }) =>
    serverTime === undefined ? [] : [now - serverTime.getTime()],
  );
  if (skews.length === 0) return { check: 'clock', result: 'skipped', detail: 'no service told its time' };
  const worstMs = Math.max(...skews.map(Math.abs));
  const result = worstMs <= skewMsMax ? 'ok' : 'failed';
  return {
    check: 'clock',
    result,
    detail: `at most ${Math.ceil(worstMs / 1000)} s apart from ${skews.length} services`,
  };
}

function service(one: Health): Finding {
  const detail = `${one.address} ${one.status.toLowerCase().replaceAll('_', '-')}`;
  return { check: one.service, result: isServing(one) ? 'ok' : 'failed', detail };
}

async function ledger({ suite }: Work): Promise<Result> {
  const sources = listAt(await suite.call(ledgerSources, {}), 'sources');
  const gaps = gapsIn(sources).map((gap) => `${textAt(gap, 'source')} lacks ${cellText(gap.missing)}`);
  return {
    result: gaps.length === 0 ? 'ok' : 'failed',
    detail: gaps.join('; ') || `no gap in ${sources.length} sources`,
  };
}

/** Locks are meant: one in force is told and is no failure. */
async function locks({ suite }: Work): Promise<Result> {
  const inForce = listAt(await suite.call(listLocks, { state: 'LOCK_STATE_IN_FORCE' }), 'locks');
  const named = inForce.map((lock) => textAt(lock, 'targetId') || 'everything');
  return { result: 'ok', detail: named.length === 0 ? 'none in force' : `in force on ${named.join(', ')}` };
}

/** What this caller may not ask, or a suite does not have, is skipped; what does not answer has failed. */
async function asked(check: string, ask: () => Promise<Result>): Promise<Finding> {
  try {
    const { result, detail } = await ask();
    return { check, result, detail };
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === undefined && !(error instanceof CliFailure)) throw error;
    const isHidden = refusal === undefined || refusal.status === 'PERMISSION_DENIED';
    const detail = refusal === undefined ? 'not part of this suite' : `${refusal.reason}: ${refusal.message}`;
    return { check, result: isHidden ? 'skipped' : 'failed', detail };
  }
}
